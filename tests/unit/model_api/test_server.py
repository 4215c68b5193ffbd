"""What is kept of requests, and how a test sets what is answered."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.model_api import ModelApi
from tests.model_api.script import Refusal, Script, read

CODEX_TITLE = {"x-codex-turn-metadata": '{"thread_source": "thread_title"}'}


def post(
    api_url: str, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, Any]:
    """Ask, return status and JSON."""
    connection = http.client.HTTPConnection(urlsplit(api_url).netloc, timeout=60)
    connection.request(method, path, json.dumps(body), headers or {})
    response = connection.getresponse()
    read = response.read()
    connection.close()
    return response.status, json.loads(read) if read else None


def chat(*texts: str, tools: bool = False, system: str = "") -> dict[str, Any]:
    """The body of a request whose conversation has these prompts."""
    said = [{"role": "system", "content": system}, *({"role": "user", "content": text} for text in texts)]
    tool = {"type": "function", "function": {"name": "bash", "parameters": {}}}
    return {"model": "fake-1", "messages": said, "tools": [tool] if tools else []}


def answer(api: ModelApi, *texts: str) -> tuple[int, str]:
    """Return status and text of an answer."""
    status, body = post(api.url, "/v1/chat/completions", chat(*texts))
    return status, body["choices"][0]["message"]["content"] if status == 200 else body["error"]["message"]


def test_last_prompt_decides_and_all_are_kept(api: ModelApi) -> None:
    assert answer(api, "[[401]] first", "second") == (200, "ok: second")
    kept = api.requests()[0]
    assert (kept.prompt, kept.texts) == ("second", ["[[401]] first", "second"])


def test_same_conversation_has_the_same_name_as_long_as_it_begins_alike(api: ModelApi) -> None:
    for texts in (["one"], ["one", "two"], ["other"]):
        answer(api, *texts)
    names = [request.conversation for request in api.requests()]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("headers", "system", "path", "runtime", "side"),
    [
        ({"user-agent": "claude-cli/2.1.197 (external, cli)"}, "", "/v1/messages", "claude", True),
        ({"user-agent": "codex-tui/0.169.0 (Debian)"}, "", "/v1/responses", "codex", False),
        ({"user-agent": "codex-tui/0.169.0 (Debian)"} | CODEX_TITLE, "", "/v1/responses", "codex", True),
        (
            {"user-agent": "opencode/1.18.33 ai-sdk"},
            "You are a title generator",
            "/v1/chat/completions",
            "opencode",
            True,
        ),
        ({"user-agent": "OpenAI/JS 6"}, "operating inside pi, a coding agent", "/v1/chat/completions", "pi", True),
        ({"user-agent": "OpenAI/JS 6"}, "", "/v1/chat/completions", None, False),
    ],
    ids=["claude", "codex", "codex-title", "opencode", "pi", "unknown"],
)
def test_runtimes_are_told_apart_and_their_titles_are_answered_at_once(
    api: ModelApi, headers: dict[str, str], system: str, path: str, runtime: str | None, side: bool
) -> None:
    api.always("[[500]]")
    body = {**chat("hello", system=system), "input": "hello", "max_tokens": 5}
    if path == "/v1/messages":
        body["messages"] = body["messages"][1:]
    status, _ = post(api.url, path, body, headers)
    kept = api.requests(side=None)[0]
    assert (kept.runtime, kept.side, status) == (runtime, side, 200 if side else 500)


def test_secrets_are_not_kept(api: ModelApi) -> None:
    secrets = {"Authorization": "Bearer sk-secret", "X-Api-Key": "sk-secret", "Cookie": "sk-secret"}
    post(api.url, "/v1/chat/completions", chat("hello"), secrets)
    status, shown = post(api.url, "/_requests", None, method="GET")
    assert status == 200
    assert "sk-secret" not in json.dumps(shown)
    assert shown["requests"][0]["headers"]["x-api-key"] == "(secret)"


@pytest.mark.parametrize("method", ["HEAD", "GET", "POST", "DELETE"])
def test_path_that_is_none_is_refused_and_kept(api: ModelApi, method: str) -> None:
    status, _ = post(api.url, "/api/hello?x=1", {}, method=method)
    kept = api.settled(api.everything()[0])
    assert (status, kept.method, kept.path, kept.status) == (404, method, "/api/hello?x=1", 404)
    assert api.requests() == []


@pytest.mark.parametrize("body", [[], "text", {"model": "x"}, {"model": "x", "messages": [3]}])
def test_body_that_is_no_request_is_refused(api: ModelApi, body: Any) -> None:
    assert post(api.url, "/v1/chat/completions", body)[0] == 400


def test_behaviour_of_the_test_comes_first_then_that_of_the_prompt(api: ModelApi) -> None:
    api.always("[[429 reset=60]]")
    api.next("[[say one]]", "[[401]]")
    assert answer(api, "[[say mine]]") == (200, "one")
    assert [answer(api, "x")[0] for _ in range(3)] == [401, 429, 429]
    api.always(None)
    assert answer(api, "[[say mine]]") == (200, "mine")


def test_another_process_sets_behaviour_over_http(api: ModelApi) -> None:
    assert post(api.url, "/_behave", {"always": "[[401]]", "next": ["[[say once]]"]})[0] == 200
    assert [answer(api, "x")[0] for _ in range(2)] == [200, 401]
    assert post(api.url, "/_behave", {"always": "[[nonsense]]"})[0] == 400
    assert post(api.url, "/_behave", {"always": None})[0] == 200
    assert answer(api, "x") == (200, "ok: x")


def test_held_answer_ends_when_released(api: ModelApi) -> None:
    said: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: said.append(answer(api, "[[hold]] [[say free]]")))
    thread.start()
    kept = api.wait_for(lambda request: "[[hold]]" in request.prompt)
    assert (kept.status, thread.is_alive()) == (None, True)
    api.release()
    thread.join(60)
    assert said[0][1].endswith("free")
    assert api.settled(kept).outcome == "complete"


def test_hanging_request_ends_with_its_client(api: ModelApi) -> None:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=1)
    connection.request("POST", "/v1/chat/completions", json.dumps(chat("[[hang]]")))
    kept = api.wait_for(lambda request: True)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    assert kept.outcome is None
    connection.close()
    assert (api.settled(kept).status, kept.outcome) == (None, "left")


def test_end_of_the_server_ends_what_hangs_and_holds() -> None:
    with ModelApi() as api:
        for word in ("[[hang]]", "[[hold]]"):
            body = json.dumps(chat(word))
            connection = http.client.HTTPConnection(urlsplit(api.url).netloc)
            connection.request("POST", "/v1/chat/completions", body)
            api.wait_for(lambda request, word=word: request.prompt == word)  # type: ignore[misc]
    for request in api.requests():
        assert api.settled(request).outcome


def test_long_texts_are_kept_once(api: ModelApi) -> None:
    long = "x" * 200_000
    answer(api, long)
    answer(api, long, "again")
    first, second = api.requests()
    assert first.texts[0] is second.texts[0]


def test_waiting_for_what_does_not_come_says_what_came(api: ModelApi) -> None:
    answer(api, "something else")
    with pytest.raises(AssertionError, match="something else"):
        api.wait_for(lambda request: "hello" in request.prompt, timeout=0.05)


@pytest.mark.parametrize("call", [["-m", "tests.model_api"], ["tests/model_api"]], ids=["module", "directory"])
def test_program_serves_and_says_where_and_what(call: list[str], request: pytest.FixtureRequest) -> None:
    command = [sys.executable, *call, "--always", "[[say from afar]]"]
    with subprocess.Popen(command, cwd=request.config.rootpath, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        url = program.stdout.readline().split()[-1]
        status, body = post(url, "/v1/chat/completions", chat("hello"))
        log = json.loads(program.stdout.readline())
        program.terminate()
    assert (status, body["choices"][0]["message"]["content"]) == (200, "from afar")
    assert (log["prompt"], log["status"], program.returncode) == ("hello", 200, 0)


# -- words of scripts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("nothing", Script()),
        ("[[slow 2.5]] then [[say a: b]]", Script(slow=2.5, text="a: b")),
        ("[[tool bash: echo 'x: y' > z]]", Script(tool="bash", argument="echo 'x: y' > z")),
        ("[[429 usage reset=7 times=2]]", Script(refusal=Refusal(429, reset=7, usage=True, times=2))),
        ("[[cut]] [[usage 5 6]] [[used 33.5]]", Script(fault="cut", usage=(5, 6), used_percent=33.5)),
        ("[[unknown]] [[429 nonsense]] [[slow much]] [[ -f x ]]", Script()),
    ],
)
def test_words_in_a_prompt(text: str, script: Script) -> None:
    assert read(text) == script


@pytest.mark.parametrize("text", ["nothing", "[[unknown]]", "[[429 nonsense]]", "[[say fine]] [[slow much]]"])
def test_behaviour_with_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (such )?word"):
        read(text, strict=True)


def test_address_may_come_later() -> None:
    with ModelApi("10.77.255.1") as api:
        assert api.url.startswith("http://10.77.255.1:")
