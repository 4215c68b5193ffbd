"""Values that some reader would take for something else, and numbers out of all bounds.

What is hostile in any text is in test_inert.py, where each text of the vocabulary gets all of it.
"""

from __future__ import annotations

from tests.unit.fleet.hostile.case import Case, added, based

# Plain where a name is meant: YAML, or some reader of it, takes it for something that is no text.
_NO_TEXT = {
    "no": "wrong-type",
    "Yes": "wrong-type",
    "off": "wrong-type",
    "12:30:00": "bad-name",
    "190:20:30": "bad-name",
    "0o17": "ambiguous-number",
    "017": "ambiguous-number",
    "08": "ambiguous-number",
    "0x1F": "ambiguous-number",
    "0b11": "ambiguous-number",
    "1_000": "ambiguous-number",
    "-0": "wrong-type",
    "1e3": "wrong-type",
    "1e999": "wrong-type",
    ".5": "wrong-type",
    ".inf": "ambiguous-number",
    "-.INF": "ambiguous-number",
    ".NaN": "ambiguous-number",
    "null": "empty-value",
    "~": "empty-value",
    "2026-11-21": "bad-name",
    "2026-11-21T10:00:00Z": "bad-name",
    "=": "bad-name",
    "<<": "bad-name",
    "1" * 18: "wrong-type",
    "1" * 19: "ambiguous-number",
    "9" * 100_000: "ambiguous-number",
    "-" + "9" * 100_000: "ambiguous-number",
    "0." + "9" * 100_000: "wrong-type",
    "1e" + "9" * 100_000: "wrong-type",
}
_UIDS = {
    "0": "out-of-range",
    "1": "out-of-range",
    "33": "out-of-range",
    "999": "out-of-range",
    "60000": "out-of-range",
    "61184": "out-of-range",
    "65534": "out-of-range",
    "65535": "out-of-range",
    "4294967295": "out-of-range",
    "4294967296": "out-of-range",
    "4294987297": "out-of-range",
    "18446744073709551616": "ambiguous-number",
    "-1": "out-of-range",
    "true": "wrong-type",
    "20001.0": "wrong-type",
    "2e4": "wrong-type",
    '"20001"': "wrong-type",
    "root": "wrong-type",
    "[20001]": "wrong-type",
    "٢٠٠٠١": "wrong-type",  # digits to Python
    "２０００１": "wrong-type",  # noqa: RUF001
}
_SYSTEM_NAMES = ("root", "daemon", "nobody", "nogroup", "www-data", "sudo", "systemd-network", "sshd", "watchbill")
_HOST_NAMES = ("all", "ungrouped", "localhost", "local")
_ADDRESSES = (
    "-oProxyCommand=id", "10.0.0.1 -oProxyCommand=id", "root@10.0.0.1", "10.0.0.1:22", "ssh://10.0.0.1", "10.0.0.1/24",
    "0x0a000001", "167772161", "10.1", "010.0.0.1", "10.0.0.256",
    "\u0661\u0660.0.0.1", "fe80::1%eth0", "[fe80::1", "*", "a_b..c",
    "{{ 1 }}", "$(id)", "a;id", "xn--" + "a" * 70, "a" * 64, "..", "-a.example",
)  # fmt: skip
_REPOSITORIES = (
    "-uid", "--upload-pack=id", "ext::sh -c id", "file:///etc", "fd::17", "https://-oProxyCommand=id/x", "ssh://-oid/x",
    "ssh://a@-oid/x", "-oid:x", "a:-x", "https://user:word@example.org/x.git", "../x", "git@h",
    "https://a b/x", "$(id)", "https:///x",
)  # fmt: skip
_BRANCHES = (
    "-f",
    "--exec=id",
    "a..b",
    "a/../b",
    "@{-1}",
    "a.lock",
    "a b",
    "a~1",
    "a^",
    "a:b",
    "refs\\\\x",
    "*",
    "$(id)",
)
_LOGINS = ("-oProxyCommand=id", "root@h", "a b", "a;id", "$(id)", "1", "a:b", "")
_DURATIONS = ("0s", "-1s", "1e3s", "10", "1s; id", "1 s", "١s", "1ss", "inf", "99999999999999999999s")  # noqa: RUF001
_MEMORY = ("0M", "-1G", "1K", "infinity", "50%", "999999999T", "1G # x", "1.5G")
_CPU = ("0%", "-1%", "100", "1e9%", "9999999%", "infinity")
_PORTS = {
    "0": "out-of-range",
    "65536": "out-of-range",
    "-22": "out-of-range",
    "4294967318": "out-of-range",
    "22.0": "wrong-type",
    '"22"': "wrong-type",
    "[22, 23]": "wrong-type",
}
_SLOTS = {
    "-1": "out-of-range",
    "1001": "out-of-range",
    "4294967296": "out-of-range",
    "1.0": "wrong-type",
    "true": "wrong-type",
    "infinity": "wrong-type",
}
_RESERVED = ("PATH", "HOME", "XDG_RUNTIME_DIR", "WATCHBILL_TENANT", "Watchbill_x", "NOTIFY_SOCKET")
_NO_VARIABLES = ("1A", "A-B", "A B", "A=B", "", "$(id)", "А", "A" * 129, "A.B", "%i", "BASH_FUNC_x%%")  # noqa: RUF001
_VARIABLES = {**dict.fromkeys(_RESERVED, "reserved-name"), **dict.fromkeys(_NO_VARIABLES, "bad-name")}


def _short(text: str) -> str:
    return text if len(text) < 30 else f"{text[:8]}-of-{len(text)}"


def _each(what: str, texts: tuple[str, ...], old: str, new: str, code: str) -> dict[str, Case]:
    """Return a case for each text, which stands for TEXT in `new`."""
    return {f"{what}-{_short(text) or 'empty'}": based(old, new.replace("TEXT", text), code) for text in texts}


CASES: dict[str, Case] = {
    **{f"name-{_short(text)}": based("{name: x}", f"{{name: ‸{text}}}", code) for text, code in _NO_TEXT.items()},
    **{f"uid-{text}": based("uid: 20001", f"uid: ‸{text}", code) for text, code in _UIDS.items()},
    **_each("tenant", _SYSTEM_NAMES, "{t: {uid", "{‸TEXT: {uid", "reserved-name"),
    **_each("host", _HOST_NAMES, "{h: {address", "{‸TEXT: {address", "reserved-name"),
    **_each("address", _ADDRESSES, "10.0.0.1", '‸"TEXT"', "bad-address"),
    **_each("login", _LOGINS, "slots: 1000", 'slots: 1, connect: {user: ‸"TEXT"}', "bad-name"),
    **_each("memory", _MEMORY, "floor: none", 'floor: none, limits: {memory: ‸"TEXT"}', "bad-limit"),
    **_each("cpu", _CPU, "floor: none", 'floor: none, limits: {cpu: ‸"TEXT"}', "bad-limit"),
    **{
        f"repository-{text}": added(
            f'projects: {{p: {{team: a, path: ~/p, repository: ‸"{text}"}}}}\n', "bad-repository"
        )
        for text in _REPOSITORIES
    },
    **{
        f"branch-{text}": added(f'projects: {{p: {{team: a, path: ~/p, branch: ‸"{text}"}}}}\n', "bad-name")
        for text in _BRANCHES
    },
    **{
        f"duration-{text}": added(f'policy: {{heartbeat: {{interval: ‸"{text}"}}}}\n', "bad-duration")
        for text in _DURATIONS
    },
    **{f"slots-{text}": based("slots: 1000", f"slots: ‸{text}", code) for text, code in _SLOTS.items()},
    **{
        f"variable-{_short(text)}": based("runtime: stub", f'runtime: stub, env: {{‸"{text}": x}}', code)
        for text, code in _VARIABLES.items()
    },
    **{
        f"port-{text}": based("slots: 1000", f"slots: 1, connect: {{port: ‸{text}}}", code)
        for text, code in _PORTS.items()
    },
}
