"""Benchmarks: what a rollout without changes costs, and what a keeper costs while nothing happens."""
