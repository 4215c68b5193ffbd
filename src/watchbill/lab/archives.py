"""The Debian archives this machine installs from: machines of a lab install from the same ones.

Reads both formats of sources.list(5). Third-party archives are left out: debootstrap cannot use them, and a machine of
a lab is to be plain Debian.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEFAULT_SUITE = "bookworm"
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


@dataclass(frozen=True, order=True)
class Archive:
    """One archive and suite. `signed_by` is empty where the source does not say."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def control_archives(
    apt: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")
) -> tuple[str, list[Archive]]:
    """Return the suite machines shall have and Debian's archives for it, the main one first.

    On a machine that is not Debian, or whose sources are of no use here: deb.debian.org and the default suite.
    """
    suite = _debian_codename(os_release) or DEFAULT_SUITE
    found = [source for source in _read(apt) if _is_debian(source, suite)]
    found = list(dict.fromkeys(found))
    if not any(source.suite == suite for source in found):
        found = [
            Archive("http://deb.debian.org/debian", suite, ("main",), KEYRING),
            Archive("http://deb.debian.org/debian-security", f"{suite}-security", ("main",), KEYRING),
        ]
    return suite, sorted(found, key=lambda source: source.suite)


def render(archives: Iterable[Archive]) -> str:
    """Return the text of a debian.sources file."""
    return "\n".join(
        f"Types: deb\nURIs: {source.uri}\nSuites: {source.suite}\nComponents: {' '.join(source.components)}\n"
        f"Signed-By: {KEYRING}\n"
        for source in archives
    )


def parse_deb822(text: str) -> list[Archive]:
    """Return the binary archives of a .sources file; disabled stanzas are left out."""
    found = []
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0") or "deb" not in fields.get("types", "").split():
            continue
        components = tuple(fields.get("components", "").split())
        signed_by = fields.get("signed-by", "").strip()
        found += [
            Archive(uri, suite, components, signed_by)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def parse_one_line(text: str) -> list[Archive]:
    """Return the binary archives of a sources.list file."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is None:
            continue
        options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
        components = tuple(match["components"].split())
        found.append(Archive(match["uri"], match["suite"], components, options.get("signed-by", "")))
    return found


def _read(apt: Path) -> list[Archive]:
    directory = apt / "sources.list.d"
    found = []
    for path in [apt / "sources.list", *sorted(directory.glob("*.list")), *sorted(directory.glob("*.sources"))]:
        if path.is_file():
            text = path.read_text(errors="replace")
            found += parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text)
    return found


def _debian_codename(os_release: Path) -> str:
    try:
        text = os_release.read_text()
    except FileNotFoundError:
        return ""
    fields = {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in text.splitlines())}
    return fields.get("VERSION_CODENAME", "") if fields.get("ID") == "debian" else ""


def _is_debian(source: Archive, suite: str) -> bool:
    """Whether this is Debian's own archive or a mirror of it, for `suite`: others offer `main` of a suite too."""
    url = urlsplit(source.uri)
    if url.scheme not in ("http", "https"):
        return False
    if source.suite not in (suite, f"{suite}-updates", f"{suite}-security") or "main" not in source.components:
        return False
    if source.signed_by and "debian-archive" not in source.signed_by:
        return False
    segments = url.path.split("/")
    return (url.hostname or "").endswith(".debian.org") or any(
        part in ("debian", "debian-security") for part in segments
    )
