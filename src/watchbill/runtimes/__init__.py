"""Runtimes as they are installed on hosts: fetched once from an npm registry, packed, kept in a cache."""

from __future__ import annotations

from watchbill.runtimes.cache import Package, fetch
from watchbill.runtimes.recipe import Platform

__all__ = ["Package", "Platform", "fetch"]
