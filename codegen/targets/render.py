# SPDX-License-Identifier: GPL-2.0-only
"""The Jinja environment that every template is rendered in, whatever the target."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from codegen.base.resources import data_dir


@cache
def environment() -> Environment:
    """The environment over `templates/`: a name that is not given is an error, never blank text."""
    return Environment(
        loader=FileSystemLoader(data_dir("templates")),
        undefined=StrictUndefined,
        # C and Python are written as they are; in HTML every value is escaped.
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **variables: object) -> str:
    """The text of `template` (a path under `templates/`, "c/generic_fault.c.j2").

    Raises jinja2.TemplateNotFound and jinja2.UndefinedError: both are our own
    mistakes, no input of the user's leads to them.
    """
    return environment().get_template(template).render(**variables)
