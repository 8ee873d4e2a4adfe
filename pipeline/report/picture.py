"""A chart as bytes: SVG for the page, PNG for a mail or a chat. Rendered by vl_convert, without a browser or a network."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert

SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", SVG)

#: Attributes of an SVG that can name another element of it.
_POINTERS = re.compile(r"url\(#([^)]+)\)")


def svg(chart: Any, *, name: str, label: str) -> str:
    """Render `chart` as an SVG element to be put into a page's HTML.

    It has no width and height of its own (the page decides), no script, no style and no link; its ids begin with `name`, so
    that many pictures fit one page; marks that carry a description get it as <title>, which browsers show on hovering.

    Args:
        chart: an Altair chart.
        name: letters, digits and hyphens; unique in the page.
        label: what the picture shows, read out by screen readers.
    """
    # allowed_base_urls=[]: a chart that names a URL is refused, instead of fetched.
    text = vl_convert.vegalite_to_svg(_specification(chart), allowed_base_urls=[])
    root = ElementTree.fromstring(text)
    for attribute in ("width", "height", "class"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", label)
    for element in list(root.iter()):
        _tidy(element, name)
    return ElementTree.tostring(root, encoding="unicode")


def png(chart: Any, *, scale: float = 2.0) -> bytes:
    """Render `chart` as a PNG on white, at `scale` device pixels a px."""
    specification = _specification(chart)
    specification.setdefault("config", {})["background"] = "white"
    picture = vl_convert.vegalite_to_png(specification, scale=scale, allowed_base_urls=[])
    return bytes(picture)


def _specification(chart: Any) -> dict[str, Any]:
    """The chart as Vega-Lite, not validated (that takes longer than the drawing; tests/test_charts.py validates every picture).

    Its data go round Altair, which would copy every value twice.
    """
    bare = chart.copy(deep=False)
    data, bare.datasets = bare.datasets, alt.Undefined
    specification: dict[str, Any] = bare.to_dict(validate=False)
    if data is not alt.Undefined:
        specification["datasets"] = {**specification.get("datasets", {}), **data}
    return specification


def _tidy(element: ElementTree.Element, name: str) -> None:
    attributes = element.attrib
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    for key, value in attributes.items():
        if "url(#" in value:
            attributes[key] = _POINTERS.sub(rf"url(#{name}-\1)", value)
    # Vega sets classes for its own script and roles that repeat what the label of the whole picture says.
    attributes.pop("class", None)
    description = attributes.pop("aria-label", None) if element.tag != f"{{{SVG}}}svg" else None
    for role in ("role", "aria-roledescription"):
        if element.tag != f"{{{SVG}}}svg":
            attributes.pop(role, None)
    if description and element.tag == f"{{{SVG}}}path":
        hover = ElementTree.Element(f"{{{SVG}}}title")
        hover.text = description
        element.insert(0, hover)
