"""Archives overlap and come in any order: what is stored, cleaned and counted is the same to the last byte; none is read twice."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from pipeline import clean, count, days, importing
from pipeline.settings import Settings
from pipeline.sources import archive
from tests import posts
from tests.conftest import AREAS
from tests.packed import tarred
from tests.posts import lines, make_page, make_post, make_tweet

ROOT = Path(__file__).resolve().parents[1]
Make = Callable[..., Settings]
ZONE = ZoneInfo("America/Mexico_City")
FIRST = date(2026, 11, 5)
DAYS = (FIRST, FIRST + timedelta(days=1))
SUBURB = AREAS + '\n[suburb]\nbox = "-99.20,19.30,-99.00,19.50"\ntimezone = "America/Mexico_City"\n'
MOVED = AREAS.replace("-99.3650", "-99.1200")


@pytest.fixture
def at(make_settings: Make, tmp_path: Path) -> Callable[..., Settings]:
    """A function that gives settings with a data folder of that name, without a database."""
    return lambda name, **changes: make_settings(database=False, GEOBETA_DATA=str(tmp_path / "installations" / name), **changes)


def moment(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of the local day."""
    return days.window(DAYS[day], ZONE).start + timedelta(hours=hour, minutes=minute)


def tweet(day: int, hour: int, number: int, **changes: Any) -> dict[str, Any]:
    """One of many authors, some of them far away, some without a point."""
    where = {"coordinates": {"type": "Point", "coordinates": [-99.30 + number % 30 / 100, 19.1 + number % 40 / 100]}}
    point: dict[str, Any] = where if number % 3 else {"coordinates": None, "geo": None}
    said = {"text": f"tráfico {number} 😀" if number % 4 else f"nada {number}", "user": {"id_str": str(number % 7)}}
    return make_tweet(at=moment(day, hour, number % 60), sequence=number, **said, **point | changes)


def as_v2(old: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same post as API v2 gives it."""
    when = datetime.strptime(old["created_at"], "%a %b %d %H:%M:%S %z %Y")
    geo = {"place_id": "00place1"} | ({"coordinates": old["coordinates"]} if old["coordinates"] else {})
    own: dict[str, Any] = {"id": old["id_str"], "edit_history_tweet_ids": [old["id_str"]], "author_id": old["user"]["id_str"]}
    return make_post(at=when, **own | {"text": old["text"], "geo": geo} | changes)


def archives() -> dict[str, bytes]:
    """Files that overlap in every way: of two local days, by twarc 1 and 2, in a tar and by themselves, with edits in one of them."""
    hours = [[tweet(day, hour, 24 * day + hour + 50 * n) for n in range(4)] for day in (0, 1) for hour in range(2, 24, 3)]
    first, second = [*itertools.chain(*hours[:8])], [*itertools.chain(*hours[8:])]
    edits = []
    for number, old in enumerate(first[:6]):
        new = posts.snowflake(moment(0, 23), number)
        edits.append(as_v2(old, id=str(new), text=f"agua, corregido {number}", edit_history_tweet_ids=[old["id_str"], str(new)]))
    packed = {f"{number:02}": gzip.compress(lines(*some), mtime=0) for number, some in enumerate(hours[8:])}
    return {
        "first.jsonl": lines(*first, *first[:3], posts.notices()["delete"]),
        "second.jsonl.gz": gzip.compress(lines(*second), mtime=0),
        "subset.jsonl": lines(*first[3:20], *second[:5]),
        "second.tar": tarred({f"{name}.json.gz": content for name, content in packed.items()}),
        "hour.json.gz": packed["03"],
        "twarc2.jsonl": lines(make_page(*map(as_v2, first[:16])), make_page(*map(as_v2, first[16:]))),
        "edits.jsonl": lines(make_page(*edits), "no JSON", ""),
    }


FILES = archives()


def write(folder: Path, names: Iterable[str] = FILES) -> list[Path]:
    """The files, in the order of the names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(FILES[name])
    return [folder / name for name in names]


def finish(settings: Settings, area: str = "mexico-city") -> None:
    """Clean and count every day that is held."""
    for day in archive.days_held(settings, settings.area(area)):
        clean.run(settings, area, day)
        for study in settings.studies.values():
            if study.area == area:
                count.run(settings, study.name, day)


def contents(settings: Settings, *parts: str) -> dict[str, str]:
    """Every file of these folders of an installation, by a digest of its bytes."""
    found = [path for part in parts for path in (settings.data / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(settings.data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def tweets(settings: Settings, area: str = "mexico-city") -> dict[date, list[dict[str, Any]]]:
    """What is cleaned of every day that is held."""
    found = {}
    for day in archive.days_held(settings, settings.area(area)):
        clean.run(settings, area, day)
        found[day] = pq.read_table(clean.partition(settings, area, day) / "tweets.parquet").to_pylist()
    return found


ALL = ("archives", "tweets", "counts")


@pytest.mark.slow
def test_any_order_gives_the_same_bytes(at: Callable[..., Settings], tmp_path: Path) -> None:
    """Of extracts, cleaned tweets and counts, and the same account, whether imported together or one by one with nights between."""
    paths = {path.name: path for path in write(tmp_path / "inbox")}
    reference = at("reference")
    report = importing.run(reference, paths.values())
    finish(reference)
    wanted = contents(reference, *ALL)
    assert archive.days_held(reference, reference.area("mexico-city")) == DAYS
    assert sum(len(rows) for rows in tweets(reference).values()) > 40
    tried = 0

    @given(st.permutations(list(FILES)), st.lists(st.booleans(), min_size=len(FILES), max_size=len(FILES)))
    @example(list(reversed(FILES)), [True] * len(FILES))
    @profile(max_examples=10, suppress_health_check=[*HealthCheck])
    def tried_in(order: list[str], nights: list[bool]) -> None:
        nonlocal tried
        tried += 1
        settings = at(f"order-{tried}")
        for name, night in zip(order, nights, strict=True):
            assert importing.run(settings, [paths[name]]).imported == 1
            if night:
                finish(settings)
        finish(settings)
        found = contents(settings, *ALL)
        # a night between leaves what it made of the archives that there were
        assert wanted.items() <= found.items()
        assert any(nights) or wanted == found
        again = importing.run(settings, [paths[name] for name in order])
        assert again.imported == 0
        assert again.of_area("mexico-city") == report.of_area("mexico-city")
        assert {found.path.name: found.lines for found in again.files} == {found.path.name: found.lines for found in report.files}

    tried_in()


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(at: Callable[..., Settings], tmp_path: Path) -> None:
    """Through the command, over Luigi, in another order; and again, which reads nothing."""
    paths = write(tmp_path / "inbox")
    reference, settings = at("reference"), at("processes")
    importing.run(reference, paths)
    environ = {**os.environ, "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data)}
    environ["GEOBETA_AUTHOR_KEY"] = "a key for tests only"
    for status in ("imported", "held"):
        command = [sys.executable, "-m", "pipeline", "import", "--workers", "2", "--local-scheduler", *map(str, reversed(paths))]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(f": {status}") == len(paths)
        assert contents(settings, "archives") == contents(reference, "archives")
    finish(settings)
    finish(reference)
    assert contents(settings, *ALL) == contents(reference, *ALL)


def test_overlapping_archives_give_each_tweet_once(at: Callable[..., Settings], tmp_path: Path) -> None:
    """A day in a tar and as a file, a subset, twarc 1 and 2: whatever comes beside the whole archives adds records, and no tweet."""
    lonely = at("lonely")
    importing.run(lonely, write(tmp_path / "inbox", ["first.jsonl", "second.jsonl.gz"]))
    wanted = tweets(lonely)
    everything = at("everything")
    importing.run(everything, write(tmp_path / "inbox", [name for name in FILES if name != "edits.jsonl"]))
    assert {day: [row["tweet_id"] for row in rows] for day, rows in tweets(everything).items()} == {
        day: [row["tweet_id"] for row in rows] for day, rows in wanted.items()
    }
    assert tweets(everything) == wanted
    manifest = clean.run(everything, "mexico-city", FIRST)
    assert manifest["discards"]["duplicate"] > 40
    assert manifest["records"] == manifest["rows"] + sum(manifest["discards"].values())


def test_an_edit_wins_whichever_archive_holds_it(at: Callable[..., Settings], tmp_path: Path) -> None:
    """The tweet keeps its name and its day; its text is the newest that any archive knows."""
    for order in (["edits.jsonl", "first.jsonl"], ["first.jsonl", "edits.jsonl"]):
        settings = at(order[0])
        for path in write(tmp_path / "inbox", order):
            importing.run(settings, [path])
        edited = [row for row in tweets(settings)[FIRST] if row["version_id"] != row["tweet_id"]]
        assert edited
        assert all(row["text"].startswith("agua, corregido") for row in edited)


def test_the_same_archive_twice_changes_nothing(at: Callable[..., Settings], tmp_path: Path) -> None:
    """Under its own name and another, in one call and in two: no byte, and the same account."""
    settings = at("twice")
    paths = write(tmp_path / "inbox")
    first = importing.run(settings, paths)
    finish(settings)
    before = contents(settings, *ALL)
    copy = tmp_path / "copy.bin"
    copy.write_bytes(paths[0].read_bytes())
    again = importing.run(settings, [*paths, copy, paths[0]])
    finish(settings)
    assert again.imported == 0
    assert again.of_area("mexico-city") == first.of_area("mexico-city")
    assert contents(settings, *ALL) == before


@pytest.mark.parametrize(("areas", "area"), [(MOVED, "mexico-city"), (SUBURB, "suburb")], ids=["moved box", "new area"])
def test_another_box_reads_no_archive_again(at: Callable[..., Settings], tmp_path: Path, areas: str, area: str) -> None:
    """The archives are gone; what their extracts give is what an import under the new box would have given."""
    old = at("old")
    paths = write(tmp_path / "inbox")
    importing.run(old, paths)
    before = tweets(old)
    fresh = at("fresh", areas=areas)
    importing.run(fresh, paths)
    for path in paths:
        path.unlink()
    new = at("old", areas=areas)
    assert tweets(new, area) == tweets(fresh, area)
    finish(new, area)
    finish(fresh, area)
    assert contents(new, f"tweets/area={area}/date={FIRST}").items() >= contents(fresh, f"tweets/area={area}/date={FIRST}").items()
    assert 0 < sum(map(len, tweets(new, area).values())) < sum(map(len, before.values()))
