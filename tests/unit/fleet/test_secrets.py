"""Secrets never in the file: found by what they are, told at their place, shown nowhere."""

from __future__ import annotations

import base64
import json
import random
import string
import time
from pathlib import Path

import pytest

from watchbill.errors import FleetError
from watchbill.fleet import load_fleet
from watchbill.fleet.secrets import find
from watchbill.fleet.tokens import TEXTS, WORDS

from .conftest import GOOD, with_line
from .speed import in_time

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def some(alphabet: str, count: int, seed: int = 7) -> str:
    """Return a random word, always the same: no secret of anybody."""
    chosen = random.Random(seed)
    return "".join(chosen.choice(alphabet) for _ in range(count))


def armour(label: str) -> str:
    """Return a private key as tools write it."""
    body = base64.b64encode(random.Random(3).randbytes(96)).decode()
    return f"-----BEGIN {label}-----\n{body[:64]}\n{body[64:]}\n-----END {label}-----"


# In two pieces each, so that nothing that looks for secrets in this repository finds any.
TOKENS = {
    "a key of Anthropic": "sk-" + f"ant-api03-{some(ALNUM + '-_', 93)}AA",
    "a key of OpenAI": "sk-" + f"proj-{some(ALNUM + '-_', 120)}",
    "a key of OpenRouter": "sk-" + f"or-v1-{some(HEX, 64)}",
    "a key of OpenAI or one like it": "sk-" + some(ALNUM, 48),
    "a key of ElevenLabs": "sk_" + some(HEX, 48),
    "a token of Hugging Face": "hf_" + some(ALNUM, 34),
    "a key of Replicate": "r8_" + some(ALNUM, 37),
    "a key of Groq": "gsk_" + some(ALNUM, 52),
    "a key of xAI": "xai-" + some(ALNUM, 80),
    "a key of Perplexity": "pplx-" + some(ALNUM, 48),
    "a key of Cerebras": "csk-" + some(string.ascii_lowercase + string.digits, 48),
    "a key of NVIDIA": "nvapi-" + some(ALNUM, 64),
    "a key of Fireworks": "fw_" + some(ALNUM, 24),
    "a key of Tavily": "tvly-" + f"dev-{some(ALNUM, 32)}",
    "a key of LangSmith": "lsv2_" + f"pt_{some(HEX, 32)}_{some(HEX, 10)}",
    "a token of GitHub": "ghp_" + some(ALNUM, 36),
    "a token of GitLab": "glpat-" + some(ALNUM, 20),
    "a token of npm": "npm_" + some(ALNUM, 36),
    "a token of PyPI": "pypi-" + f"AgEIcHlwaS5vcmc{some(ALNUM, 80)}",
    "a token of RubyGems": "rubygems_" + some(HEX, 48),
    "a token of Docker Hub": "dckr_" + f"pat_{some(ALNUM, 27)}",
    "a token of Buildkite": "bkua_" + some(HEX, 40),
    "a token of CircleCI": "CCIPAT_" + some(ALNUM, 60),
    "a token of Sentry": "sntrys_" + some(ALNUM, 90),
    "a key of AWS": "AKIA" + some(string.ascii_uppercase + "234567", 16),
    "a key of AWS Bedrock": "ABSK" + some(ALNUM, 128),
    "a key of Google": "AIza" + some(ALNUM + "-_", 35),
    "a secret of Azure": some(ALNUM, 3) + "8Q~" + some(ALNUM, 34),
    "a key of Azure": "AccountKey=" + some(ALNUM + "+/", 86) + "==",
    "a token of Azure DevOps": some(ALNUM, 76) + "AZDO" + some(ALNUM, 4),
    "a token of DigitalOcean": "dop_" + f"v1_{some(HEX, 64)}",
    "a token of Fly": "fm2_" + some(ALNUM, 120),
    "a key of Heroku": "HRKU-" + some(ALNUM, 60),
    "a token of Netlify": "nfp_" + some(ALNUM, 36),
    "a key of Supabase": "sbp_" + some(HEX, 40),
    "a secret of PlanetScale": "pscale_" + f"pw_{some(ALNUM, 43)}",
    "a token of Databricks": "dapi" + some(HEX, 32),
    "a token of Doppler": "dp.pt." + some(ALNUM, 43),
    "a token of Vault": "hvs." + some(ALNUM, 95),
    "a token of Terraform": some(ALNUM, 14) + ".atlasv1." + some(ALNUM, 64),
    "a token of Pulumi": "pul-" + some(HEX, 40),
    "a token of 1Password": "ops_" + f"eyJ{some(ALNUM, 250)}",
    "a key of Tailscale": "tskey-" + f"auth-{some(ALNUM, 12)}-{some(ALNUM, 32)}",
    "a token of OpenShift": "sha256~" + some(ALNUM, 43),
    "a token of Slack": "xoxb-" + f"{some(string.digits, 12)}-{some(string.digits, 12)}-{some(ALNUM, 24)}",
    "a webhook of Slack": "https://hooks.slack.com/"
    + f"services/T{some(ALNUM, 8)}/B{some(ALNUM, 8)}/{some(ALNUM, 24)}",
    "a token of a Telegram bot": some("123456789", 10) + ":AA" + some(ALNUM + "-_", 33),
    "a token of Discord": "M" + f"{some(ALNUM, 23)}.{some(ALNUM, 6)}.{some(ALNUM, 38)}",
    "a webhook of Discord": "https://discord.com/" + f"api/webhooks/{some('123456789', 18)}/{some(ALNUM, 68)}",
    "a key of SendGrid": "SG." + f"{some(ALNUM, 22)}.{some(ALNUM, 43)}",
    "a key of Twilio": "SK" + some(HEX, 32),
    "a key of Mailgun": "key-" + some(HEX, 32),
    "a key of Brevo": "xkeysib-" + f"{some(HEX, 64)}-{some(ALNUM, 16)}",
    "a key of Resend": "re_" + f"{some(ALNUM, 8)}_{some(ALNUM, 24)}",
    "a token of Notion": "ntn_" + some(ALNUM, 46),
    "a key of Linear": "lin_" + f"api_{some(ALNUM, 40)}",
    "a token of Atlassian": "ATATT3" + some(ALNUM, 186),
    "a token of Figma": "figd_" + some(ALNUM, 40),
    "a token of Airtable": "pat" + f"{some(ALNUM, 14)}.{some(HEX, 64)}",
    "a key of Postman": "PMAK-" + f"{some(HEX, 24)}-{some(HEX, 34)}",
    "a key of Grafana": "glsa_" + f"{some(ALNUM, 32)}_{some(HEX, 8)}",
    "a key of New Relic": "NRAK-" + some(string.ascii_uppercase + string.digits, 27),
    "a key of PostHog": "phx_" + some(ALNUM, 43),
    "a key of Stripe": "sk_" + f"live_{some(ALNUM, 24)}",
    "the secret of a webhook": "whsec_" + some(ALNUM, 32),
    "a token of Shopify": "shpat_" + some(HEX, 32),
    "a token of Square": "sq0atp-" + some(ALNUM, 22),
    "a token of Facebook": "EAAC" + some(ALNUM, 150),
    "a JSON Web Token": "eyJ" + f"{some(ALNUM, 30)}.eyJ{some(ALNUM, 60)}.{some(ALNUM, 43)}",
    "the hash of a password": "$2b$" + f"12${some(ALNUM + './', 53)}",
    "a private key": "AGE-SECRET-KEY-" + f"1{some('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}",
    "a password in a URL": "postgres://shop:" + "tr0ub4dor@db.example.org/shop",
    "an Authorization header": "Authorization: Basic " + base64.b64encode(b"shop:tr0ub4dor").decode(),
    "a bearer token": "Bearer " + some(ALNUM, 40),
    "a key or token": some(ALNUM + "+/", 40, seed=5),
}
KEYS = {
    **{f"{label} key": armour(f"{label}PRIVATE KEY") for label in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")},
    "PGP key": armour("PGP PRIVATE KEY BLOCK"),
    "PuTTY key": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
    "OpenSSH key without its armour": "b3BlbnNzaC1rZXktdjE" + some(ALNUM, 120),
    "key on one line": armour("PRIVATE KEY").replace("\n", "\\n"),
    "key with a header": armour("RSA PRIVATE KEY").replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
}
HOST_KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + random.Random(1).randbytes(32)).decode()
NO_SECRETS = [
    HOST_KEY,
    "ssh-rsa " + base64.b64encode(b"\0\0\0\x07ssh-rsa\0\0\0\x03" + random.Random(1).randbytes(256)).decode(),
    "SHA256:" + base64.b64encode(random.Random(2).randbytes(32)).decode().rstrip("="),
    "3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256:" + some(HEX, 64),
    some(HEX, 128),
    some(HEX, 32).upper(),
    "123e4567-e89b-12d3-a456-426614174000",
    "sha512-" + base64.b64encode(random.Random(4).randbytes(64)).decode(),
    "h1:" + base64.b64encode(random.Random(4).randbytes(32)).decode(),
    base64.b64encode(b"These are plain words, and nobody has to hide them.").decode(),
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "openai-codex/gpt-5.5:high",
    "claude-sonnet-4-5-20250929",
    "accounts/fireworks/models/llama-v3p1-405b-instruct",
    "Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo-Free",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
    "/usr/local/lib/python3.11/site-packages/watchbill/library/roles/code-review.md",
    "~/src/Storefront2/packages/checkoutV3/src/main/java/org/example/AbstractSingletonProxyFactoryBean2.java",
    "https://git.example.org/app/storefront.git",
    "git@git.example.org:app/storefront.git",
    "https://shop@git.example.org/app/storefront.git",
    "https://docs.google.com/document/d/1aB2cD3eF4gH5iJ6kL7mN8oP9qR0sT1uV2wX3yZ4aB5c/edit",
    "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1",
    "postgres://shop:${PASSWORD}@db.example.org/shop",
    "postgres://shop:<password>@db.example.org/shop",
    "http://[2001:db8::7]:8080/a@b",
    "https://example.org:8443/x@y",
    "ghp_" + "x" * 36,
    "sk-ant-" + "api03-your-key-goes-here-and-nowhere-else",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "sk-...",
    "task-force-of-the-shop-and-the-people-who-run-it-all-day",
    "NODE_OPTIONS=--max-old-space-size=4096",
    "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    "JAVA_TOOL_OPTIONS=-XX:+UseG1GC_-XX:MaxGCPauseMillis=200",
    "0123456789" * 6,
    "abcdefghijklmnopqrstuvwxyz" * 3,
    "-----BEGIN PRIVATE KEY----- is what to look for",
    "Authorization: Bearer $TOKEN",
    "Authorization: Bearer <token>",
    "Bearer authentication-and-authorization",
    armour("PUBLIC KEY"),
    armour("CERTIFICATE"),
    armour("PGP PUBLIC KEY BLOCK"),
]  # fmt: skip


def refused(path: Path) -> FleetError:
    with pytest.raises(FleetError) as caught:
        load_fleet(path)
    return caught.value


def shows(error: FleetError, secret: str) -> bool:
    """Say whether an error shows any piece of a secret, however it is printed."""
    everything = "\n".join((error.render(), str(error), json.dumps(error.to_json()), repr(error.problems)))
    pieces = [secret[start : start + 8] for start in range(len(secret) - 7)]
    return any(piece in everything for piece in pieces)


def written(folder: Path, text: str) -> Path:
    path = folder / "fleet.yaml"
    path.write_text(text)
    return path


def test_there_is_an_example_of_every_kind() -> None:
    kinds = {shape.kind for shape in (*WORDS, *TEXTS)} | {"a key or token"}
    assert set(TOKENS) == kinds


@pytest.mark.parametrize("kind", TOKENS)
def test_token_is_found_as_what_it_is(kind: str) -> None:
    text = f"a: b\n    KEY: '{TOKENS[kind]}'  # c\n"
    [secret] = find(text)
    assert secret.kind == kind
    found = text[secret.start : secret.end]
    assert found in TOKENS[kind] and len(found) > len(TOKENS[kind]) / 4


@pytest.mark.parametrize("name", KEYS)
def test_private_key_is_found_in_any_armour(name: str) -> None:
    indented = KEYS[name].replace("\n", "\n      ")
    assert [secret.kind for secret in find(f"key: |\n      {indented}\n")] == ["a private key"]


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_is_public_or_made_up_is_no_secret(text: str) -> None:
    for around in ("{}", "KEY: {}", 'KEY: "{}"', "[--option={}, x]", "- {{name: a, env: {{A: {}}}}}", "see {}."):
        assert find(around.format(text)) == [], around


SECRET = TOKENS["a token of GitHub"]
PLACES = {
    "value": (with_line("LEVEL: role", f"LEVEL: {SECRET}"), "LEVEL: "),
    "key": (with_line("LEVEL: role", f"{SECRET}: role"), "env: {"),
    "quotes": (with_line("LEVEL: role", f'LEVEL: "{SECRET}"'), 'LEVEL: "'),
    "text": (with_line("{name: small}", f"{{name: small, description: use {SECRET} for it}}"), "use "),
    "argument": (
        with_line("{name: guest, team: guest, role: coder, runtime: stub}",
                  f"{{name: guest, team: guest, role: coder, runtime: command, command: [a, --token={SECRET}]}}"),
        "--token=",
    ),
    "comment": (GOOD + f"# until Friday: {SECRET}\n", "Friday: "),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_secret_is_told_at_its_place_and_not_shown(place: str, tmp_path: Path) -> None:
    text, before = PLACES[place]
    error = refused(written(tmp_path, text))
    [problem] = [problem for problem in error.problems if problem.code == "secret-in-file"]
    lines = text[: text.index(SECRET)].split("\n")
    assert (problem.line, problem.column) == (len(lines), len(lines[-1]) + 1)
    assert lines[-1].endswith(before)
    assert "a token of GitHub" in problem.message
    assert "under secrets:" in problem.hint and "replace it" in problem.hint
    assert not shows(error, SECRET)


def test_secret_in_any_file_of_a_fleet_is_told_there(tmp_path: Path) -> None:
    text = GOOD.replace("coder: {env", "coder: {persona: p.md, skills: [s], env") + "include: [more.yaml]\n"
    files = {
        "more.yaml": f"teams:\n  b: {{tenant: studio, mission: {SECRET}}}\n",
        "p.md": f"# A coder\n\nUse {SECRET}.\n",
        "skills/s/SKILL.md": f"---\nname: s\ndescription: A skill.\n---\nUse {SECRET}.\n",
        "skills/s/tools/run.sh": f"#!/bin/sh\nTOKEN={SECRET} exec run\n",
        "skills/s/notes.txt": f"{SECRET}\n".encode("utf-16").decode("latin-1"),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="latin-1")
    error = refused(written(tmp_path, text))
    found = {(problem.file, problem.line) for problem in error.problems if problem.code == "secret-in-file"}
    lines = {"more.yaml": 2, "p.md": 3, "skills/s/SKILL.md": 5, "skills/s/tools/run.sh": 2, "skills/s/notes.txt": 1}
    assert found == {(str(tmp_path / name), line) for name, line in lines.items()}
    assert not shows(error, SECRET)


def test_random_data_of_a_skill_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "skills/s").mkdir(parents=True)
    (tmp_path / "skills/s/SKILL.md").write_text("---\nname: s\ndescription: A skill.\n---\n")
    (tmp_path / "skills/s/sums.json").write_text(json.dumps({"sum": TOKENS["a key or token"]}))
    fleet = load_fleet(written(tmp_path, GOOD.replace("coder: {env", "coder: {skills: [s], env")))
    assert "sums.json" in fleet.skills["s"].files


@pytest.mark.parametrize(
    "spelled",
    [
        f'"{SECRET[:8]}\\x{ord(SECRET[8]):02x}{SECRET[9:]}"',
        f'"{SECRET[:20]}\\\n        {SECRET[20:]}"',
        f'"\\{SECRET[0]}{SECRET[1:]}"'.replace("\\g", "\\x67"),
    ],
    ids=["escape", "continued", "escaped-beginning"],
)
def test_secret_that_escapes_spell_otherwise_is_found(spelled: str, tmp_path: Path) -> None:
    error = refused(written(tmp_path, with_line("LEVEL: role", f"LEVEL: {spelled}")))
    [problem] = error.problems
    assert (problem.code, problem.line) == (
        "secret-in-file",
        with_line("LEVEL", "LEVEL‸").split("‸")[0].count("\n") + 1,
    )
    assert not shows(error, SECRET)


# Each says something else that is wrong, and would show the line, the value, or a part of it.
OTHER_MISTAKES = {
    "unknown-key": with_line("LEVEL: role}", f"LEVEL: {SECRET}}}, x: 1"),
    "unknown-team": with_line("{name: guest, team: guest", f"{{name: guest, team: {SECRET}"),
    "bad-name": with_line("{name: guest,", f"{{name: {SECRET},"),
    "bad-name-of-a-key": with_line("  guest: {tenant", f"  {SECRET}: {{tenant"),
    "cut-in-the-middle": with_line("{name: guest,", f"{{name: the best of all agents {SECRET},"),
    "suggestion": with_line("  guest: {tenant", f"  {SECRET}: {{tenant").replace(
        "team: guest,", f"team: {SECRET[:-1]}z,"
    ),
    "duplicate-key": with_line("LEVEL: role", f"{SECRET}: a, {SECRET}: b"),
    "no-yaml": GOOD + f"x: {SECRET}: y\n",
    "unclosed": GOOD + f'x: "{SECRET}\n',
    "tag": GOOD + f"x: !t {SECRET}\n",
    "anchor-and-alias": GOOD + f"x: [&a {SECRET}, *a]\n",
    "wrong-type": with_line("slots: 4", f"slots: {SECRET}"),
    "control-character": with_line("LEVEL: role", f'LEVEL: "{SECRET}\\e"'),
    "password-cut": with_line(
        "~/src/shop}", "~/src/shop, repository: 'https://a-rather-long-user:hunter2hunter2@h/x'}"
    ),
    "too-many": GOOD + "".join(f"x{n}: {SECRET}\n" for n in range(90)) + "y: 1\n" * 1000,
}


@pytest.mark.parametrize("mistake", OTHER_MISTAKES)
def test_whatever_else_is_wrong_the_secret_is_not_shown(mistake: str, tmp_path: Path) -> None:
    error = refused(written(tmp_path, OTHER_MISTAKES[mistake]))
    assert [problem.code for problem in error.problems if problem.code != "secret-in-file"]
    assert not shows(error, "hunter2hunter2" if mistake == "password-cut" else SECRET)


@pytest.mark.parametrize("mistake", ["", "x: !t y\n", "x: [\n"], ids=["right", "wrong", "no-yaml"])
def test_of_a_file_full_of_secrets_nothing_else_is_told(mistake: str, tmp_path: Path) -> None:
    keys = "".join(f"# {n} {some(ALNUM, 48, seed=n)}\n" for n in range(300))
    error = refused(written(tmp_path, GOOD + keys + f"k: {SECRET}, x: y\n" + mistake))
    assert [problem.code for problem in error.problems] == ["secret-in-file"] * 100
    assert not shows(error, SECRET)


def test_looking_for_secrets_takes_a_tenth_of_a_second_in_a_large_fleet() -> None:
    hosts = "".join(
        f"  h{n}: {{address: 10.0.{n // 250}.{n % 250}, slots: 9, connect: {{host_key: {HOST_KEY}}}}}\n"
        for n in range(500)
    )
    entry = "  - {{name: agent{n}, team: team{n}, role: coder, model: openai-codex/gpt-5.5:high, env: {{LEVEL: x}}}}\n"
    text = hosts + "".join(entry.format(n=n) for n in range(2000))
    taken = []
    for _ in range(3):
        before = time.thread_time()
        assert find(text) == []
        taken.append(time.thread_time() - before)
    assert in_time(min(taken), 0.1), taken
