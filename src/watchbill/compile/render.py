"""Templates of ``roles/agents``, rendered strictly: an unknown variable is an error, and so is a broken line."""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable

import jinja2

from watchbill.compile.half import COLLECTION

_CONTROL = re.compile("[\x00-\x1f\x7f]")


def systemd_value(value: object) -> str:
    r"""Return *value* as it must stand in a unit file to be read back as it is: ``%`` and ``$`` doubled, ``\`` too.

    :raises ValueError: it holds a control character, which no escape makes safe there.
    """
    text = str(value)
    if _CONTROL.search(text):
        raise ValueError(f"control character in a value for a unit file: {text!r}")
    return text.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 -- no HTML is made here; values are typed and escaped by filters
        auto_reload=False,
        loader=jinja2.FileSystemLoader(COLLECTION / "roles" / "agents" / "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["systemd_value"] = systemd_value
    return environment


@functools.lru_cache(maxsize=1024)
def render(template: str, **variables: Hashable) -> bytes:
    """Return a template of ``roles/agents/templates`` with *variables*: what many hosts have alike is rendered once.

    :raises jinja2.UndefinedError: the template wants a variable that was not given.
    """
    return _environment().get_template(template).render(**variables).encode()
