"""A local server that replays recorded answers of the real X API for London, and what those answers hold, counted without the pipeline.

The recordings are other people's posts: they are read from the folder of real posts and never kept. A test that wants them says
`from tests.london import london_server` (the fixture; it skips where the folder is absent).
"""

from __future__ import annotations

import csv
import functools
import json
import math
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.servers import Reply, ScriptedServer, Seen, serving

#: The box of the recorded `bounding_box:[...]` searches.
BOX: Final = (-0.222473, 51.442453, 0.072784, 51.568534)
ZONE: Final = ZoneInfo("Europe/London")
#: The recorded window, 2021-06-01T00:00Z to 2021-06-05T00:00Z, touches these local days (the first and the last in part).
DAYS: Final = (date(2021, 6, 1), date(2021, 6, 2), date(2021, 6, 3), date(2021, 6, 4))

AREAS: Final = f"""
[london]
box = "{",".join(map(str, BOX))}"
timezone = "Europe/London"
"""


@functools.cache
def recorded(folder: Path, operator: str) -> tuple[dict[str, Any], ...]:
    """The recorded pages whose query used `operator` (bounding_box or point_radius), by INDEX.tsv's true URLs."""
    with open(folder / "INDEX.tsv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    wanted = [row["file"] for row in rows if f"{operator}:[" in dict(parse_qsl(urlsplit(row["url"]).query)).get("query", "")]
    pages: dict[str, dict[str, Any]] = {}
    with tarfile.open(folder / "pages.tar.gz") as archive:
        for member in archive:
            name = next((name for name in wanted if member.name.endswith(f"__{name}")), None)
            content = archive.extractfile(member) if name else None
            if name and content:
                pages[name] = json.load(content)
    assert len(pages) == len(wanted) > 0
    return tuple(pages[name] for name in wanted)


class LondonServer(ScriptedServer):
    """Answers every search with the recorded pages of its operator, each cut to the window that was asked for.

    The same query was recorded more than once: the pages overlap, so most posts come several times.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def answer(self, seen: Seen) -> Reply:
        with self.lock:
            self.seen.append(seen)
        asked = seen.parameters
        pages = recorded(self.folder, "bounding_box" if "bounding_box:[" in asked["query"] else "point_radius")
        number = int(asked.get("next_token", "london0").removeprefix("london"))
        start, end = asked["start_time"], asked["end_time"]
        posts = [post for post in pages[number]["data"] if start <= post["created_at"].replace(".000Z", "Z") < end]
        meta: dict[str, Any] = {"result_count": len(posts)}
        if number + 1 < len(pages):
            meta["next_token"] = f"london{number + 1}"
        document = {**pages[number], "data": posts, "meta": meta}
        if not posts:
            del document["data"]
        return Reply(document=document)

    def ids(self, operator: str = "bounding_box") -> dict[date, set[int]]:
        """The ids that the recorded pages hold, by local day."""
        held: dict[date, set[int]] = defaultdict(set)
        for page in recorded(self.folder, operator):
            for post in page["data"]:
                held[_local_day(post)].add(int(post["id"]))
        return dict(held)

    def inside(self, operator: str = "bounding_box") -> dict[date, dict[int, str]]:
        """Of those, the ones that the policy counts inside BOX, with their evidence; the policy in plain words, post by post."""
        held: dict[date, dict[int, str]] = defaultdict(dict)
        for page in recorded(self.folder, operator):
            places = {place["id"]: place["geo"]["bbox"] for place in page["includes"]["places"]}
            for post in page["data"]:
                evidence = _evidence(post, places)
                if evidence is not None:
                    held[_local_day(post)][int(post["id"])] = evidence
        return dict(held)


def _local_day(post: dict[str, Any]) -> date:
    at = datetime.strptime(post["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return at.astimezone(ZONE).date()


def _evidence(post: dict[str, Any], places: dict[str, list[float]]) -> str | None:
    """An exact point decides alone; else the whole place; else its centre, if it is at most four times as large as the box."""
    west, south, east, north = BOX
    geo = post.get("geo") or {}
    point = (geo.get("coordinates") or {}).get("coordinates")
    if point is not None:
        return "point" if west <= point[0] <= east and south <= point[1] <= north else None
    place = places.get(geo.get("place_id"))
    if place is None:
        return None
    if west <= place[0] and place[2] <= east and south <= place[1] and place[3] <= north:
        return "place_within"
    centre = ((place[0] + place[2]) / 2, (place[1] + place[3]) / 2)
    in_centre = west <= centre[0] <= east and south <= centre[1] <= north
    return "place_centroid" if in_centre and _surface(place) <= 4 * _surface(BOX) else None


def _surface(box: tuple[float, ...] | list[float]) -> float:
    """Up to a factor: difference of longitudes times difference of the latitudes' sines."""
    return (box[2] - box[0]) * (math.sin(math.radians(box[3])) - math.sin(math.radians(box[1])))


@pytest.fixture
def london_server(shared_data: Path) -> Iterator[LondonServer]:
    """The running server: `.url`, `.seen`, `.ids()`, `.inside()`."""
    folder = shared_data / "x-v2-search-london"
    if not folder.is_dir():
        pytest.skip(f"the recorded London pages are not in the folder of real posts ({folder.name})")
    with serving(LondonServer(folder)) as server:
        yield server
