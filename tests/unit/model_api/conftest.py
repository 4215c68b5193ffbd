"""A model API of one's own, and the official clients, which validate what it answers."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.model_api import ModelApi


@pytest.fixture
def api() -> Iterator[ModelApi]:
    """A model API on a free port."""
    with ModelApi() as api:
        yield api


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the person who runs the tests stands between."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def claude(api: ModelApi, direct: None) -> Iterator[anthropic.Anthropic]:
    """The client of Anthropic's Messages."""
    with anthropic.Anthropic(
        base_url=api.url, api_key="sk-secret", max_retries=0, timeout=60, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def gpt(api: ModelApi, direct: None) -> Iterator[openai.OpenAI]:
    """The client of OpenAI's Responses and Chat Completions."""
    with openai.OpenAI(
        base_url=f"{api.url}/v1", api_key="sk-secret", max_retries=0, timeout=60, _strict_response_validation=True
    ) as client:
        yield client
