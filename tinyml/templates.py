"""How templates/ is read: C, linker scripts and build files, where a missing name is an error."""

from __future__ import annotations

import jinja2

from .paths import TEMPLATES


def new_environment() -> jinja2.Environment:
    """For a caller to keep: to compile a template takes longer than to print it."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
