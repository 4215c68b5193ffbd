"""Templates of presets, rendered strictly: a variable that nobody gives is an error."""

from __future__ import annotations

import functools
from typing import Any

import jinja2


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(  # noqa: S701 - no HTML is made here; what is put in is spelled for YAML before
        loader=jinja2.PackageLoader("watchbill.presets"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, **variables: Any) -> str:
    """Return the template of a preset, filled. Raises jinja2.UndefinedError for a variable that was not given."""
    return _environment().get_template(f"{name}.yaml.j2").render(**variables)
