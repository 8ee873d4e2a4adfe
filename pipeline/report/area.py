"""The page of an area: its box on a map, what X would be asked for, and how often. Made before anything is paid for; asks X nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline import cover, estimate, extract
from pipeline.boxes import EARTH_RADIUS_KM
from pipeline.report import drawing, template, words
from pipeline.settings import Area, Settings
from pipeline.sources import x_endpoints
from pipeline.storage import write_bytes

#: From so many circles on, a comparison with the fewest there could be says something.
WORTH_COMPARING: Final = 20


@dataclass(frozen=True)
class Asked:
    """What X would be asked for: regions, and the queries for each endpoint by its name. All empty where it is not asked."""

    regions: tuple[cover.Region, ...]
    queries: dict[str, tuple[str, ...]]

    @property
    def clauses(self) -> str:
        """In words: "12 circles of 24.9 miles"."""
        circles = sum(isinstance(region, cover.Circle) for region in self.regions)
        boxes = len(self.regions) - circles
        parts = [f"{words.counted(circles, 'circle')} of {cover.RADIUS_MILES:g} miles"] if circles else []
        parts += [f"{boxes:,} bounding box{'' if boxes == 1 else 'es'}"] if boxes else []
        return " and ".join(parts)


def asked(area: Area) -> Asked:
    """What X would be asked for.

    Raises:
        SettingsError: the box is too large to be asked for.
    """
    if area.source == "archive":
        return Asked((), {})
    clauses = extract.clauses(area)
    queries = {name: x_endpoints.queries(clauses, limit=endpoint.query_length) for name, endpoint in x_endpoints.ENDPOINTS.items()}
    return Asked(cover.regions(area.box), queries)


def path(settings: Settings, name: str) -> Path:
    """Where the page of an area lies."""
    return settings.data / "areas" / f"{name}.html"


def build(settings: Settings, name: str) -> Path:
    """Write the page of an area.

    Raises:
        SettingsError: there is no such area, or its box is too large to be asked for.
    """
    target = path(settings, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, render(settings.area(name), price=estimate.on_disk(settings, name)).encode("utf-8"))
    return target


def render(area: Area, *, price: str = "") -> str:
    """The page as text.

    Args:
        price: what a day costs, in words; empty where that is not known.
    """
    found = asked(area)
    return template.fill(
        "area.html.j2",
        styles=("page.css", "area.css"),
        area=area,
        drawn=drawing.draw(area.box, found.regions),
        description=f"Map of {area.name}: {sides(area)}, covered by {found.clauses or 'nothing'}",
        facts=[*_facts(area, found), *([("A day's price", price)] if price else [])],
        notes=_notes(area),
        queries=found.queries.get(x_endpoints.RECENT.name, ()),
    )


def summary(area: Area) -> list[str]:
    """Two lines for the terminal: the area, and what X would be asked."""
    found = asked(area)
    first = f"{area.name}: {sides(area)}, {_surface(area)}"
    if not found.queries:
        return [first, 'its source is "archive": nothing is asked of X']
    places = f" and {words.counted(len(area.places), 'place')}" if area.places else ""
    counts = ", ".join(f"{len(queries):,} to {name}" for name, queries in found.queries.items())
    return [first, f"{found.clauses}{places}; queries: {counts}"]


def sides(area: Area) -> str:
    """Width, where it is longest, and height: "44.7 km wide, 60.5 km high"."""
    box = area.box
    nearest = 0.0 if box.south <= 0 <= box.north else min(abs(box.south), abs(box.north))
    a_degree = math.radians(1) * EARTH_RADIUS_KM
    width, height = box.width * math.cos(math.radians(nearest)) * a_degree, box.height * a_degree
    return f"{_km(width)} wide, {_km(height)} high"


def _km(length: float) -> str:
    return f"{length:,.0f} km" if length >= 100 else f"{length:,.1f} km"


def _surface(area: Area) -> str:
    surface = area.box.surface_km2
    return f"{surface:,.0f} km²" if surface >= 100 else f"{surface:,.2f} km²"


def _facts(area: Area, found: Asked) -> list[tuple[str, str]]:
    facts = [("Box", words.box(*area.box.bounds)), ("As one line", area.box.csv), ("Size", f"{sides(area)}; {_surface(area)}")]
    if found.queries:
        places = f" and {words.counted(len(area.places), 'place')}" if area.places else ""
        facts.append(("Asked of X", f"{found.clauses}{places}: {words.counted(len(found.regions) + len(area.places), 'clause')}"))
        least = math.ceil(area.box.surface_km2 / cover.HEXAGON_KM2)
        if least >= WORTH_COMPARING:
            hexagon = f"each covers at best a hexagon of {cover.HEXAGON_KM2:,.0f} km²"
            facts.append(("The fewest there could be", f"{words.counted(least, 'circle')}: {hexagon}"))
        facts += [(f"For {name}", _requests(queries, x_endpoints.ENDPOINTS[name].query_length)) for name, queries in found.queries.items()]
    facts.append(("Time zone", area.timezone))
    return facts


def _requests(queries: tuple[str, ...], limit: int) -> str:
    longest = max(map(len, queries))
    if len(queries) == 1:
        return f"1 query of {longest:,} characters ({limit:,} are allowed): 1 request a day or more"
    return f"{len(queries):,} queries of up to {longest:,} characters ({limit:,} are allowed): {len(queries):,} requests a day or more"


def _notes(area: Area) -> list[str]:
    notes = []
    if area.source == "archive":
        notes.append('Nothing is asked of X for this area: its source is "archive".')
    if area.box.crosses_antimeridian and area.source != "archive":
        notes.append("The area crosses the 180th meridian: X is asked for its two halves, each covered by itself.")
    return notes
