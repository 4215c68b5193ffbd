"""How each runtime is told to use the model API, in the vocabulary of fleet.yaml: a section of `runtimes`."""

from __future__ import annotations

from typing import Any

KEY = "sk-ant-fake"
MODEL = {"claude": "claude-sonnet-4-6", "codex": "fake-1", "opencode": "fake/fake-1", "pi": "fake/fake-1"}


def provider(runtime: str, base_url: str) -> dict[str, Any]:
    """Return `runtimes.RUNTIME` for a model API at *base_url* (without `/v1`); no more than it takes to have a turn."""
    return PROVIDERS[runtime](base_url)


def _claude(url: str) -> dict[str, Any]:
    return {
        "env": {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
        "settings": {},
    }


def _codex(url: str) -> dict[str, Any]:
    fake = {"name": "fake", "base_url": f"{url}/v1", "wire_api": "responses", "env_key": "FAKE_KEY"}
    return {
        "env": {"FAKE_KEY": KEY},
        "settings": {"model": MODEL["codex"], "model_provider": "fake", "model_providers": {"fake": fake}},
    }


def _opencode(url: str) -> dict[str, Any]:
    fake = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "fake",
        "options": {"baseURL": f"{url}/v1", "apiKey": KEY},
        "models": {"fake-1": {"name": "fake-1"}},
    }
    return {
        "env": {},
        "settings": {"model": MODEL["opencode"], "small_model": MODEL["opencode"], "provider": {"fake": fake}},
    }


def _pi(url: str) -> dict[str, Any]:
    model = {
        "id": "fake-1",
        "name": "fake-1",
        "contextWindow": 100_000,
        "maxTokens": 1000,
        "input": ["text"],
        "reasoning": False,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }
    fake = {"baseUrl": f"{url}/v1", "api": "openai-completions", "apiKey": KEY, "models": [model]}
    return {
        "env": {},
        "settings": {
            "models": {"providers": {"fake": fake}},
            "defaultProvider": "fake",
            "defaultModel": "fake-1",
        },
    }


PROVIDERS = {"claude": _claude, "codex": _codex, "opencode": _opencode, "pi": _pi}
