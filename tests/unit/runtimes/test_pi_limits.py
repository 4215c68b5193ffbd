"""Limits of a provider, as pi meets them and Watchbill's extension tells them to a keeper."""

from __future__ import annotations

import time

import pytest

from .pi_terminal import Pi


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        ({"retry-after": "2100-01-01T00:00:00Z"}, None),
        ({"anthropic-ratelimit-unified-reset": "4102444800", "retry-after": "5"}, None),
        ({"x-codex-primary-reset-at": "4102444800"}, None),
    ],
)
def test_refusal_is_limited_until_the_providers_word_and_until_it_answers(
    pi: Pi, headers: dict[str, str], seconds: int | None
) -> None:
    pi.starts_turn("hello")
    before = time.time()
    pi.is_answered(429, headers)
    limited = pi.says("limited")
    assert limited.resets_at is not None
    if seconds is None:
        assert limited.resets_at == pytest.approx(4102444800, abs=10)
    else:
        assert before + seconds - 1 <= limited.resets_at <= time.time() + seconds + 1
    assert limited.retries
    pi.is_answered(200)
    assert pi.beat().state == "working"


def test_limit_without_an_end_has_none(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.is_answered(429)
    assert pi.says("limited").resets_at is None


def test_limit_that_is_over_by_the_providers_word_is_over_whatever_the_error_says(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.is_answered(429, {"retry-after": "0"})
    pi.fails("429 Rate limit reached")
    assert "limited" not in {beat.state for beat in pi.beats(lambda beat: beat.turn_ended)}


def test_refusal_that_only_an_error_tells_of_is_limited(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.fails("ThrottlingException: Too many requests, please wait")
    assert pi.says("limited").resets_at is None
    # It comes to rest when pi has given up, and is limited all the same.
    ended = pi.beat(lambda beat: beat.turn_ended)
    assert (ended.state, ended.retries) == ("limited", False)


def test_other_servers_refusals_are_none(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.is_answered(429, origin="http://elsewhere.test")
    pi.answers("done")
    assert [beat.state for beat in pi.beats(lambda beat: beat.turn_ended)] == ["idle", "working", "idle"]


def test_other_model_is_not_limited(pi: Pi) -> None:
    pi.starts_turn("hello")
    pi.is_answered(429)
    pi.says("limited")
    pi.happens("model_select")
    assert pi.beat().state == "working"


def test_limits_of_a_subscription_are_told(pi: Pi) -> None:
    headers = {
        "anthropic-ratelimit-unified-5h-utilization": "0.37",
        "anthropic-ratelimit-unified-5h-reset": "4102444800",
        "x-codex-secondary-used-percent": "11.0",
    }
    pi.starts_turn("hello")
    pi.is_answered(200, headers)
    pi.answers("done")
    assert pi.beat(lambda beat: beat.turn_ended).facts["limits"] == [
        {"name": "five_hour", "used_percent": 37.0, "resets_at": "2100-01-01T00:00:00Z"},
        {"name": "secondary", "used_percent": 11.0, "resets_at": None},
    ]
