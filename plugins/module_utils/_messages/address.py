# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who writes and who is written to: ``host:tenant/agent``, and ``host:operator/USER`` for people."""

from __future__ import annotations

import re
import typing as t

OPERATOR = "operator"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_PERSON = re.compile(r"[A-Za-z0-9_.@+-]{1,64}\Z")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")


class Address(t.NamedTuple):
    """One end of a message. ``tenant`` is ``operator`` for a person, whose name is ``name`` then."""

    host: str
    tenant: str
    name: str

    def __str__(self) -> str:
        """Return ``host:tenant/name``."""
        return f"{self.host}:{self.tenant}/{self.name}"

    @property
    def is_person(self) -> bool:
        """Whether this is no agent."""
        return self.tenant == OPERATOR


def parse_address(text: str) -> Address:
    """Return the address that a text is.

    :raises ValueError: it has another form.
    """
    host, colon, rest = text.partition(":")
    tenant, slash, name = rest.partition("/")
    named = (_PERSON if tenant == OPERATOR else _NAME).match(name)
    if not (colon and slash and _HOST.match(host) and _NAME.match(tenant) and named):
        raise ValueError(f"{text!r} is no address: HOST:TENANT/AGENT, or HOST:operator/USER")
    return Address(host, tenant, name)


def person(host: str, user: str) -> Address:
    """Return the address of somebody at a machine; characters that no address has become dashes."""
    return Address(
        re.sub(r"[^A-Za-z0-9_.-]", "-", host)[:64].lstrip(".-") or "unknown",
        OPERATOR,
        re.sub(r"[^A-Za-z0-9_.@+-]", "-", user)[:64] or "unknown",
    )
