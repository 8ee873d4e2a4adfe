"""The benchmarks: made-up archives of the shapes that they say, the same counts by all who count, a place on the page for each figure.

Nothing is timed here.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.performance import generate, side_by_side, towns, venvs, words
from benchmarks.performance.__main__ import PAGE, POINTS, measured
from benchmarks.performance.archives import question
from benchmarks.performance.goals import Bench, Goal, agreed
from benchmarks.performance.side_by_side import Taken, Way
from benchmarks.performance.variants import ours
from pipeline import count, nights, settings
from pipeline.settings import Settings
from tests.conftest import write_config

SCALE = 0.005


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A two-hundredth of each archive."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "BENCH", tmp_path_factory.mktemp("bench"))
        yield {name: generate.path(name, SCALE) for name in ("geo", "stream", "pages")}


def documents(archive: Path) -> list[dict[str, Any]]:
    with gzip.open(archive, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def plain(archive: Path) -> bytes:
    return gzip.decompress(archive.read_bytes())


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def test_the_stream_of_a_place_has_the_shape_of_real_ones(archives: dict[str, Path]) -> None:
    """Size, compression, and the shares of long tweets, points and authors are those of the real streams."""
    tweets = documents(archives["geo"])
    about = generate.described("geo", SCALE)
    assert about["lines"] == len(tweets) == 1600
    assert 3000 < about["plain"] / about["lines"] < 3600
    assert 6.5 < about["plain"] / about["packed"] < 9.5
    assert all(tweet["place"]["bounding_box"] for tweet in tweets)
    assert 0.14 < share(["extended_tweet" in tweet for tweet in tweets]) < 0.22
    assert 0.1 < share([tweet["coordinates"] is not None for tweet in tweets]) < 0.18
    assert len({tweet["id"] for tweet in tweets}) == len(tweets)
    assert 0.3 < len({tweet["user"]["id"] for tweet in tweets}) / len(tweets) < 0.7
    assert b"&amp;" in plain(archives["geo"])


def test_the_sample_stream_has_the_shape_of_real_ones(archives: dict[str, Path]) -> None:
    """Delete notices, retweets with what they repeat, few geotagged tweets, CRLF."""
    found = documents(archives["stream"])
    tweets = [each for each in found if "delete" not in each]
    assert 0.12 < 1 - len(tweets) / len(found) < 0.2
    assert 0.25 < share(["retweeted_status" in tweet for tweet in tweets]) < 0.36
    assert 0.01 < share([bool(tweet["place"]) for tweet in tweets]) < 0.03
    assert all(line.endswith(b"\r\n") for line in plain(archives["stream"]).splitlines(keepends=True))


def test_the_pages_have_the_shape_of_real_ones(archives: dict[str, Path]) -> None:
    """100 to 500 tweets a page, newest first, each place in the page's includes."""
    pages = documents(archives["pages"])
    assert sum(len(page["data"]) for page in pages) == 1500
    assert {len(page["data"]) for page in pages[:-1]} <= {100, 250, 499, 500}
    for page in pages:
        ids = [int(tweet["id"]) for tweet in page["data"]]
        assert len(set(ids)) == len(ids)
        assert page["data"][0]["created_at"] >= page["data"][-1]["created_at"]
        places = {place["id"] for place in page["includes"]["places"]}
        assert {tweet["geo"]["place_id"] for tweet in page["data"] if "geo" in tweet} == places


def test_the_same_archive_is_made_every_time(archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Equal bytes, so figures of two machines are of the same data."""
    monkeypatch.setattr(generate, "BENCH", tmp_path)
    assert generate.path("geo", SCALE).read_bytes() == archives["geo"].read_bytes()


def test_parts_are_the_whole(archives: dict[str, Path]) -> None:
    """Cut into files, an archive has the same lines."""
    parts = generate.parts("geo", 3, SCALE)
    assert len(parts) == 3
    assert b"".join(map(plain, parts)) == plain(archives["geo"])


def counted(archive: Path, box: tuple[float, float, float, float]) -> tuple[int, int]:
    """(n, k) by the plainest means."""
    west, south, east, north = box
    pattern = re.compile(rf"\b(?:{'|'.join(words.SOUGHT)})\b", re.IGNORECASE)
    n = k = 0
    for document in documents(archive):
        places = {place["id"]: place["geo"]["bbox"] for place in document.get("includes", {}).get("places", ())}
        for tweet in document.get("data", [document]):
            point = (tweet.get("coordinates") or tweet.get("geo", {}) or {}).get("coordinates")
            point = point.get("coordinates") if isinstance(point, dict) else point
            if "data" in document:
                bounds = places.get(tweet.get("geo", {}).get("place_id"))
            else:
                corners = ((tweet.get("place") or {}).get("bounding_box") or {}).get("coordinates", [[]])[0]
                bounds = [*corners[0], *corners[2]] if corners else None
            if point is not None:
                inside = west <= point[0] <= east and south <= point[1] <= north
            else:
                inside = bounds is not None and west <= bounds[0] and south <= bounds[1] and bounds[2] <= east and bounds[3] <= north
            text = tweet.get("extended_tweet", tweet).get("full_text") or tweet.get("text", "")
            n, k = n + inside, k + (inside and pattern.search(text) is not None)
    return n, k


@pytest.mark.slow
@pytest.mark.parametrize("name", ["geo", "stream", "pages"])
def test_ours_finds_what_a_plain_count_finds(name: str, archives: dict[str, Path], tmp_path: Path) -> None:
    """The task of all competitors, by the script that is measured."""
    command = [*side_by_side.script("ours"), "all", str(archives[name]), "{out}", str(question(tmp_path))]
    found = side_by_side.run(Way("ours", command)).said
    assert (found["n"], found["k"]) == counted(archives[name], words.BOX)
    if name == "geo":
        assert 0.1 < found["n"] / 1600 < 0.25
        assert found["k"] > 10


def test_the_cities_hold_places_of_every_size() -> None:
    """Some hundred places; what is asked of is a sixth of all tweets."""
    inside = [words.BOX[0] <= place.box[0] and place.box[2] <= words.BOX[2] for place in towns.PLACES]
    weights = dict(zip((place.id for place in towns.PLACES), towns.FREQUENCIES, strict=True))
    assert len(weights) == len(towns.PLACES) > 300
    assert 0.12 < sum(weights[place.id] for place, within in zip(towns.PLACES, inside, strict=True) if within) < 0.25


# the installation -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_installation_with_nothing_to_do_has_nothing_to_do(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its nights are complete, and none is where a rule was changed: so what is measured is a night that really looks."""
    from benchmarks.performance import installation

    def read(environ: dict[str, str]) -> Settings:
        return settings_read({**environ, "DATABASE_URL": database_url})

    settings_read = settings.read
    monkeypatch.setattr(installation.settings, "read", read)
    made = installation.make(tmp_path, 12, 5)
    assert len(made.settings.studies) == 12
    assert len(made.settings.areas) == 2
    assert nights.complete_days(made.settings, made.days) == set(made.days)
    config = installation._config(12, made.days[0])
    studies = config["studies.toml"].replace('"word3"', '"other"')
    write_config(tmp_path / "config", areas=config["areas.toml"], studies=studies, settings=config["settings.toml"])
    changed = read(dict(made.environ))
    assert count.rule_version(changed, changed.study("study-3")) != count.rule_version(made.settings, made.settings.study("study-3"))
    assert nights.complete_days(changed, made.days) == set()


# the runs -------------------------------------------------------------------------------------------------------------


def python(code: str, **about: Any) -> Way:
    return Way("a way", [sys.executable, "-c", code], **about)


def test_a_run_is_measured_whole(tmp_path: Path) -> None:
    """CPU time and memory of the process, what it printed, a fresh folder that is prepared, and gone after."""
    code = "import json, pathlib; held = bytearray(60_000_000); json; p = pathlib.Path(r'{out}'); there = (p / 'ready').exists()"
    code += "\nprint('noise'); print(json.dumps({'n': 3, 'there': there, 'out': str(p)}))"
    found = side_by_side.run(python(code, prepare=lambda out: (out / "ready").touch()))
    assert found.said["there"] is True
    assert not Path(found.said["out"]).exists()
    assert found.peak > 60
    assert found.cpu > 0


def test_a_small_process_is_small_whoever_starts_it() -> None:
    """The memory of the process that measures is not counted."""
    held = bytearray(80_000_000)
    assert side_by_side.run(python("print()")).peak < 60
    assert len(held) == 80_000_000


def test_a_way_that_fails_is_no_figure() -> None:
    """Its last words are told."""
    with pytest.raises(RuntimeError, match=r"a way ended with 3: .*gone wrong"):
        side_by_side.run(python("import sys; print('gone wrong', file=sys.stderr); sys.exit(3)"))


def test_ways_take_turns() -> None:
    """One after the other, round by round, so that all have the same weather; what is slow runs once."""
    told: list[str] = []
    ways = [python("print()"), Way("other", [sys.executable, "-c", ""]), Way("slow", [sys.executable, "-c", ""], once=True)]
    side_by_side.measure(ways, 2, told.append)
    assert [line.split(":")[1] for line in told] == [" a way", " other", " slow", " a way", " other"]


def test_who_counts_otherwise_stops_the_comparison() -> None:
    """Ratios of different work mean nothing."""
    one, other = (Taken(1, 1, 1, {"n": n, "k": 1}) for n in (4, 5))
    assert agreed({"one": one, "same": one})
    with pytest.raises(RuntimeError, match=r"do not agree on n: \{'one': 4, 'other': 5\}"):
        agreed({"one": one, "other": other})


# goals and page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "row"),
    [
        (Goal("speed", 1.6, 1.55), "| speed | at most 1.6 × | 1.55 × | met |"),
        (Goal("speed", 1.6, 1.65), "| speed | at most 1.6 × | 1.65 × | **not met** |"),
        (Goal("gain", 13, 20.04, at_most=False), "| gain | at least 13 × | 20 × | met |"),
        (Goal("peak", 250, 300.4, unit="MB", takes="less"), "| peak | at most 250 MB | 300 MB | **not met**: less |"),
        (Goal("gain", 13, None, at_most=False), "| gain | at least 13 × | not measured | **not met** |"),
    ],
)
def test_a_goal_says_whether_it_is_met(goal: Goal, row: str) -> None:
    """What was not measured is not met."""
    assert goal.row() == row


def test_a_point_that_fails_says_so_and_the_rest_goes_on() -> None:
    """Its goals are not met, and what it said before stands."""

    def figures() -> Iterator[str | Goal]:
        yield "first"
        raise RuntimeError("no\nroom")

    assert measured("disk", figures()) == (["first", "Not measured: no room"], ["| disk | | not measured | **not met** |"])


def test_the_page_has_a_place_for_every_figure() -> None:
    """And none that the command does not make."""
    assert sorted(re.findall(r"<!-- figures: (\w+) -->", PAGE.read_text("utf-8"))) == sorted([*POINTS, "goals", "machine"])


@pytest.mark.slow
def test_a_look_is_never_written() -> None:
    """Figures of less data, or of some points, are not for the page."""
    for options in (["--scale", "0.1"], ["--points", "1"]):
        command = [sys.executable, "-m", "benchmarks.performance", "--write", *options]
        said = subprocess.run(command, cwd=generate.ROOT, capture_output=True, text=True, check=False)
        assert said.returncode == 2
        assert "leave --scale and --points out" in said.stderr


@pytest.mark.parametrize("name", venvs.NAMES)
def test_competitors_are_pinned_and_come_from_wherever_pip_looks(name: str) -> None:
    """Each with one version, and no address of any registry."""
    text = (venvs.REQUIREMENTS / f"{name}.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", line) for line in lines)
    assert len(venvs.versions(name)) == len(lines)


def test_a_competitor_that_cannot_be_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others go on."""
    (tmp_path / "none.txt").write_text("no-such-package-of-geobeta==1\n")
    monkeypatch.setattr(venvs, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(venvs, "BENCH", tmp_path)
    monkeypatch.setattr(venvs, "_run", refuse)
    (said,) = Bench().competitors({"other tool": ("floor", "none")})
    assert said == "other tool is not measured: no network"


def refuse(command: list[str]) -> None:
    raise venvs.Missing("no network")


def test_the_question_is_asked_as_users_ask_it(tmp_path: Path) -> None:
    """An area, a study: files that geobeta reads."""
    for other in (False, True):
        asked = ours.read(question(tmp_path, other=other))
        ours.configure(tmp_path, asked)
        found = settings.read({"GEOBETA_CONFIG": str(tmp_path / "config"), "GEOBETA_DATA": str(tmp_path)})
        assert len(found.study(asked["name"]).match["words"]) == 20
        assert found.area(asked["name"]).evidence == words.EVIDENCE
