"""Filling a template of this folder: everything escaped, the style inside the page, and a policy that allows nothing but this style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def fill(name: str, *, styles: Sequence[str] = ("page.css",), dark_pictures: Mapping[str, str] | None = None, **values: object) -> str:
    """The page as text. Every value is escaped by the template engine, except Markup and our own style.

    Args:
        name: the template's file name; it gets `style`, `style_hash` and `version` besides the values.
        styles: file names of its style sheets, in order.
        dark_pictures: colour in a picture → the colour that stands for it on a dark ground.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = "\n".join(environment.get_template(sheet).render(dark_pictures=dark_pictures or {}) for sheet in styles)
    style_hash = "sha256-" + base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template(name).render(style=Markup(style), style_hash=Markup(style_hash), version=_version(), **values)


def _version() -> str:
    try:
        return metadata.version("geobeta")
    except metadata.PackageNotFoundError:
        return "(not installed)"
