"""How far a day's extraction is: everything a later process needs to go on at the page. Kept in `cursor.json` beside the pages."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import storage, walks
from pipeline.days import Window
from pipeline.walks import Hole, Walk

if TYPE_CHECKING:
    from pipeline.sources.x_pages import Page


@dataclass
class Cursor:
    """The walks that remain, the pages that lie on the disk, the holes that were left.

    Attributes:
        endpoint: the name of the search endpoint.
        queries: all that the pages and walks name by number.
        walks: what remains, the current one first.
        pages: what is there, in the order in which it came; the manifest's entries.
        night: the last that wrote here.
        failed: {"hour", "night"}: where a page could not be had, and in which night.
        careful: the night in which failures are gone round, hour by hour.
        trouble: number of the hour (as text) → waits, seconds waited, failed requests.
        sample: the manifest's entry; None where all of the day is asked for.
        expected: posts expected in each hour; empty where nobody knows.
        first: the number of the first page.
    """

    endpoint: str
    queries: list[str]
    walks: list[Walk]
    night: str
    pages: list[dict[str, Any]] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    synthetic: bool | None = None
    waits: dict[str, float] = field(default_factory=lambda: {"count": 0, "seconds": 0.0})
    trouble: dict[str, dict[str, float]] = field(default_factory=dict)
    failed: dict[str, str] | None = None
    careful: str | None = None
    sample: dict[str, Any] | None = None
    expected: list[int | None] = field(default_factory=list)
    first: int = 1

    @property
    def posts(self) -> int:
        """Posts received so far; one that two queries return counts twice."""
        return sum(page["posts"] for page in self.pages)

    @property
    def file(self) -> str:
        """The name of the next page's file."""
        return f"page-{self.first + len(self.pages):05d}.json.zst"

    def handed_out(self, token: str | None) -> int:
        """How often the current walk was given this token of a next page."""
        walk = self.walks[0]
        top = (walk.query, walk.until_id, [walk.start.isoformat(), walk.end.isoformat()])
        return sum(page["next_token"] == token for page in self.pages if token and (page["query"], page["until_id"], page["span"]) == top)

    def add(self, page: Page, file: str) -> None:
        """Note a page that lies on the disk, and where the next one begins."""
        walk = self.walks[0]
        self.pages.append(
            {
                "file": file,
                "query": walk.query,
                "until_id": walk.until_id,
                "posts": page.posts,
                "next_token": page.next_token,
                "sha256": hashlib.sha256(page.body).hexdigest(),
                "status": page.status,
                "span": [walk.start.isoformat(), walk.end.isoformat()],
            }
        )
        self.synthetic = page.synthetic
        oldest = None if page.oldest_id is None else (page.oldest_id, walks.written_at(page.oldest_id, page.oldest_at))
        rest = walk.after(oldest, page.next_token)
        if rest is not None:
            self.walks[0] = rest
            return
        del self.walks[0]
        following = self.walks[0] if self.walks else None
        if walk.hours and following and following.hours and (following.query, following.end) == (walk.query, walk.start):
            # what answers may be asked for more at a time
            self.walks[0] = replace(following, hours=2 * walk.hours)

    def leave_out(self, reason: str) -> None:
        """Leave a hole in the current walk's place."""
        walk = self.walks.pop(0)
        self.holes.append(Hole(walk.start, walk.position, reason, True, (walk.query,)))

    def take_back(self) -> None:
        """Ask again for all holes that may still be had, before all else."""
        again = [hole for hole in self.holes if hole.refetch]
        self.holes = [hole for hole in self.holes if not hole.refetch]
        self.walks[:0] = [Walk(query, hole.start, hole.end) for hole in again for query in hole.queries]

    def merged_into(self, manifest: dict[str, Any]) -> bool:
        """Whether the partition with this manifest holds all that was fetched here."""
        known = {page["file"] for page in manifest["pages"]}
        return not self.walks and self.night == manifest.get("attempted_by") and all(page["file"] in known for page in self.pages)

    def save(self, folder: Path) -> None:
        """Write it, whole."""
        own = vars(self) | {"walks": [walks.as_json(walk) for walk in self.walks], "holes": [walks.as_json(hole) for hole in self.holes]}
        storage.write_json(folder / "cursor.json", own)


def load(folder: Path, window: Window) -> Cursor | None:
    """The cursor that an earlier process left in the folder; None where there is none.

    Args:
        window: the day's, for cursors of before there were walks.
    """
    try:
        given = json.loads((folder / "cursor.json").read_bytes())
    except FileNotFoundError:
        return None
    if "walks" not in given:
        return _of_before(given, window)
    return Cursor(
        **given | {"walks": [walks.walk(entry) for entry in given["walks"]], "holes": [walks.hole(entry) for entry in given["holes"]]}
    )


def _of_before(given: dict[str, Any], window: Window) -> Cursor:
    """Until migration 0002 a cursor named the query it was in, and every walk was over the whole day."""
    current = given["query"]
    remaining = walks.over(range(current, len(given["queries"])), [window])
    if remaining:
        oldest_id = given["oldest_id"]
        at = None if oldest_id is None else walks.written_at(oldest_id, None)
        remaining[0] = replace(remaining[0], next_token=given["next_token"], until_id=given["until_id"], oldest_id=oldest_id, oldest_at=at)
    span = [window.start.isoformat(), window.end.isoformat()]
    pages = [{**page, "span": span} for page in given["pages"]]
    kept = {name: given[name] for name in ("endpoint", "queries", "synthetic", "waits")}
    return Cursor(**kept, walks=remaining, pages=pages, night="")
