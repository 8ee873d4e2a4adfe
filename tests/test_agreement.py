"""Two readers that share no line of code agree on every file: the pipeline's, and a plain one (plain_reader.py).

On every id, time, author, text, place and point that is stored, on every reject's reason, member, line and offset, on what became of
every line, and on all counts. Real posts are never printed: of a difference only its field and where it stands.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import random
import re
import shutil
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as profile

from pipeline import documents, formats, importing, redaction, streams, tombstones
from pipeline.documents import Broken, Lines
from pipeline.formats import Notice, Record, Reject
from pipeline.importing import quarantine
from pipeline.schema import RECORDS
from pipeline.settings import Settings
from pipeline.sources import archive
from tests import made_up_lines, plain_posts, plain_reader, posts
from tests.plain_reader import Reading

# the second reader is for who touches the first: all of it in `make test`
pytestmark = pytest.mark.slow

FIELDS = [name for name in formats.table([]).schema.names if name != "raw"]
#: What tells whether a record is gone.
ASKED = ("tweet_id", "version_id", "author_id", "place_country")
ASKED_OF = pa.schema([(name, RECORDS.field(name).type) for name in ASKED])
OTHERS_THAT_DELETE = {*plain_posts.EVENTS, "compliance"} - {"delete", "drop"}
FATES = {"blank": "blank", "document": "documents", "continued": "continued", "wrapper": "wrapper", "broken": "broken"}


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """The sample configuration, without a database, with batches that small files fill."""
    return make_settings(studies="", settings="[import]\nbatch_rows = 7\n", database=False)


def whole(text: Any) -> Any:
    """A text as it can be stored: pairs of surrogates joined, single ones replaced."""
    if not isinstance(text, str):
        return text
    joined = re.sub("[\ud800-\udbff][\udc00-\udfff]", lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return re.sub("[\ud800-\udfff]", "\ufffd", joined)


def minutes_of(packed: dict[str, str]) -> set[datetime]:
    """The minutes that a manifest has a bit for: 1,440 a UTC day, in hexadecimal, the first one first."""
    return {
        datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minute)
        for day, bits in packed.items()
        for minute, bit in enumerate(f"{int(bits, 16):01440b}")
        if bit == "1"
    }


def located(record: dict[str, Any]) -> bool:
    """Whether a record says anything of where it was written."""
    return any(record[name] is not None for name in ("longitude", "place_id", "place_west"))


def first_difference(mine: list[Any], theirs: list[Any]) -> str:
    """Where two lists of rows differ, without the rows."""
    for number, (one, other) in enumerate(itertools.zip_longest(mine, theirs)):
        if one != other:
            both = isinstance(one, dict) and isinstance(other, dict)
            what = [name for name in one if one[name] != other[name]] if both else (one if both else type(one), type(other))
            return f"row {number} of {len(mine)}, {len(theirs)}: {what}"
    return ""


def agree(settings: Settings, content: bytes) -> Reading:
    """Import the bytes, read them plainly, and compare all that both say; the extract is removed again."""
    path = settings.data.parent / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    (report,) = importing.run(settings, [path]).files
    path.unlink()
    plain = plain_reader.read(content)
    folder = archive.folder(settings, report.digest)
    stored = pq.read_table(folder / "records.parquet").to_pylist()
    rejects = pq.read_table(folder / "rejects.parquet").to_pylist()
    minutes = archive.manifest(settings, report.digest)["minutes"]
    # what rules about authors and countries take is test_archive_deletions.py's affair; here, that nothing else is missing
    stones = tombstones.of_extract(tombstones.keys(settings), folder)
    # what one file asks to delete is not to be missed in the next
    shutil.rmtree(settings.data)
    archive.forget()

    assert report.accounted
    assert {fate: getattr(report.lines, name) for fate, name in FATES.items()} == {fate: plain.lines()[fate] for fate in FATES}
    records = [found.value for found in plain.found if found.what == "record"]
    distinct = list({tuple(record.values()): record for record in records if located(record)}.values())
    assert (report.records, report.no_geo) == (len(plain.found), sum(not located(record) for record in records))
    gone = stones.rows(pa.Table.from_pylist([{name: whole(record[name]) for name in ASKED} for record in distinct], schema=ASKED_OF))
    by_notice = [record["tweet_id"] in plain.deleted or record["version_id"] in plain.deleted for record in distinct]
    assert all(is_gone for is_gone, is_asked in zip(gone, by_notice, strict=True) if is_asked)
    if None not in plain.deleted and not report.notices.keys() & OTHERS_THAT_DELETE:
        assert gone.tolist() == by_notice
    left = [{name: whole(record[name]) for name in FIELDS} for record, is_gone in zip(distinct, gone, strict=True) if not is_gone]
    wanted = [{**record, "text": redaction.words(record["text"], stones)} for record in left]
    found = [{name: row[name] for name in FIELDS} for row in stored]
    assert (difference := first_difference(wanted, found)) == "", difference
    assert (report.stored, report.deleted) == (len(left), len(distinct) - len(left))
    assert report.duplicates == len(records) - report.no_geo - len(distinct)
    notices = [found.value for found in plain.found if found.what == "notice"]
    assert report.notices == Counter(kind for kind, _ in notices)
    assert report.rejects == Counter(found.value for found in plain.found if found.what == "reject")
    moments = [record["created_at"] for record in records]
    assert (report.first, report.last) == (min(moments, default=None), max(moments, default=None))
    alive = {moment.replace(second=0, microsecond=0) for moment in [*moments, *(moment for _, moment in notices if moment is not None)]}
    assert minutes_of(minutes) == alive
    # of many, three are named, and one more
    assert list(report.searches) == list(dict.fromkeys(plain.searches))[:4]
    named = _documents_agree(content, plain, stones)
    _rejects_agree(rejects, plain, named)
    return plain


def _rejects_agree(rejects: list[dict[str, Any]], plain: Reading, named: set[tuple[str, int, int]]) -> None:
    """Each is kept with its place, but for those that name a deleted tweet; of the first thousand of a reason also how the line begins."""
    wanted = []
    numbers: Counter[str] = Counter()
    for found in plain.found:
        if found.what == "reject":
            numbers[found.value] += 1
            is_shown = found.broken and numbers[found.value] <= quarantine.SAMPLE
            if (found.member, found.line, found.offset) not in named:
                wanted.append((found.value, found.member, found.line, found.offset, is_shown))
    kept = [(row["reason"], row["member"], row["line"], row["offset"], row["content"] is not None) for row in rejects]
    assert (difference := first_difference(wanted, kept)) == "", difference


def _documents_agree(content: bytes, plain: Reading, stones: tombstones.Tombstones) -> set[tuple[str, int, int]]:
    """The same of posts without a place, which no extract keeps: what formats/ make of every document, and where it stands.

    Gives where the rejects stand that name a tweet that is gone.
    """
    ours: list[tuple[Any, ...]] = []
    named = set()
    lines = Lines()
    for member in streams.members(io.BytesIO(content), []):
        for found in documents.read(member.stream, lines):
            place = (member.name, found.line, found.offset)
            for outcome in formats.parse(found.value) if not isinstance(found, Broken) else (found,):
                if isinstance(outcome, Record):
                    what: Any = ("record", {name: getattr(outcome, name) for name in FIELDS})
                elif isinstance(outcome, Notice):
                    what = ("notice", (outcome.kind, outcome.at))
                else:
                    what = ("reject", outcome.reason)
                    if stones and _names_gone(outcome, stones):
                        named.add(place)
                ours.append((*what, *place))
    theirs = [(found.what, found.value, found.member, found.line, found.offset) for found in plain.found]
    different = [number for number, (one, other) in enumerate(itertools.zip_longest(ours, theirs)) if one != other]
    assert different == []
    return named


def _names_gone(outcome: Reject | Broken, stones: tombstones.Tombstones) -> bool:
    begins = outcome.content[: quarantine.CONTENT] if isinstance(outcome, Broken) else b""
    tweet_id = outcome.tweet_id if isinstance(outcome, Reject) else None
    detail = outcome.detail.encode("utf-8", "replace")
    return redaction.names_any(b"%d %b %b" % (tweet_id or 0, begins, detail), stones)


def told(what: str, readings: list[Reading], **more: int) -> None:
    """Print how much was compared (pytest -s)."""
    lines: Counter[str] = sum((reading.lines() for reading in readings), Counter())
    kinds = Counter(found.what for reading in readings for found in reading.found)
    several = {**kinds, **{f"{fate} lines": number for fate, number in lines.items()}, **more}
    amounts = ", ".join(f"{number:,} {name}" for name, number in several.items())
    print(f"\n{what}: {len(readings)} files, {sum(lines.values()):,} lines: {amounts}")


# made-up files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", made_up_lines.SAMPLES)
def test_they_agree_on_every_shape(settings: Settings, sample: str) -> None:
    """Each by itself, a line and indented."""
    value = made_up_lines.SAMPLES[sample]
    for text in (json.dumps(value), json.dumps(value, indent=1)):
        agree(settings, text.encode())


def packings() -> dict[str, bytes]:
    """The same posts as every kind of file."""
    plain = posts.lines(*made_up_lines.SAMPLES.values(), "oops", "", '{"a":')
    tar, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as files, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive_:
        for number, content in enumerate((plain, gzip.compress(plain), b"", plain)):
            entry = tarfile.TarInfo(f"2026/{number}")
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))
            archive_.writestr(f"2026/{number}", content)
    rows = ",\r\n".join(json.dumps({"id": str(n), "key": n, "value": 1, "doc": posts.make_tweet(sequence=n)}) for n in range(5))
    return {
        "plain": plain,
        "gzip of two parts": gzip.compress(plain) + gzip.compress(plain),
        "tar": tar.getvalue(),
        "zip": packed.getvalue(),
        "UTF-16": plain.decode().encode("utf-16"),
        "UTF-8 with a mark": b"\xef\xbb\xbf" + plain,
        "CRLF": plain.replace(b"\n", b"\r\n"),
        "CouchDB": f'{{"total_rows":38,"offset":0,"rows":[\r\n{rows}\r\n]}}\r\n'.encode(),
        "CouchDB without its head": f"{rows}\r\n]}}\r\n".encode(),
        "a page of a post a line": b'{"meta":{},"data":[\n  '
        + b",\n  ".join(posts.lines(posts.make_post()).split(b"\n")[:1] * 3)
        + b"\n]}",
        "data export": b"window.YTD.tweets.part0 = " + json.dumps([{"tweet": posts.make_tweet()}] * 2, indent=2).encode(),
        "empty": b"",
    }


@pytest.mark.parametrize("kind", packings())
def test_they_agree_on_every_kind_of_file(settings: Settings, kind: str) -> None:
    """Packed, wrapped, in other encodings; lines and offsets are those of the member."""
    content = packings()[kind]
    agree(settings, content)


def test_they_agree_on_ten_thousand_made_up_lines(settings: Settings) -> None:
    """Every shape and era, odd values in every field, keys written twice, states that last over several lines."""
    readings: list[Reading] = []

    @given(made_up_lines.files())
    # a file of dozens of lines is not made smaller in any time: the difference says where it stands
    @profile(max_examples=360, phases=(Phase.explicit, Phase.generate), suppress_health_check=[*HealthCheck])
    def compared(content: bytes) -> None:
        readings.append(agree(settings, content))

    compared()
    told("made-up lines", readings)
    assert sum(reading.lines().total() - reading.lines()["continued"] for reading in readings) >= 10_000


def compare_turned(settings: Settings, lines: list[bytes], count: int, seed: int, what: str) -> None:
    """Files of whole lines and of some whose bytes were turned."""
    readings = []
    done: Counter[str] = Counter()
    for content, turns in made_up_lines.turned(lines, count, seed):
        try:
            readings.append(agree(settings, content))
        except AssertionError as error:
            error.add_note(f"turned: {turns}")
            raise
        done.update(turns)
    told(what, readings, turned=done.total(), ways=len(done))


def test_they_agree_on_turned_bytes(settings: Settings) -> None:
    """Each way of spoiling a line at least once."""
    compare_turned(settings, made_up_lines.plain_lines(60), len(made_up_lines.TURNS), 1, "made-up lines, bytes turned")


def test_they_agree_on_hundreds_of_turned_made_up_lines(settings: Settings) -> None:
    """The same, wherever real posts are not at hand."""
    compare_turned(settings, made_up_lines.plain_lines(200), 400, 2, "made-up lines, bytes turned")


# real files ----------------------------------------------------------------------------------------------------------


def unpacked_lines(path: Path, most: int) -> list[bytes]:
    """Lines of a real file, evenly taken."""
    (plain,) = [content for _, content in plain_reader.members("", path.read_bytes())]
    found = [line for line in plain.split(b"\n") if line.strip() and len(line) < 60_000]
    return found[:: max(len(found) // most, 1)][:most]


def test_they_agree_on_a_thousand_turned_real_lines(settings: Settings, shared_data: Path) -> None:
    """Cut, flipped, split, joined, with marks, surrogates, NUL, deep nesting and huge numbers put in; among whole ones."""
    names = ["v1.1-stream-riverside/2019-03-08.jsonl.gz", "v1.1-track-2016/tweets_20161125_141010.json.gz", "archive-org-2013/01.json.bz2"]
    names += ["v1.1-couchdb-melbourne/tinyTwitter-2019.json.gz", "v1.1-stream-broken/stream.json.gz", "twarc2/flat.jsonl.gz"]
    names += ["twarc2/streaming_output.jsonl.gz", "twarc2/noflat.jsonl.gz", "v1.1-premium-search/payload_kinds.json.gz"]
    lines = [line for name in names for line in unpacked_lines(shared_data / name, 60)]
    random.Random(5).shuffle(lines)
    compare_turned(settings, lines, 1000, 3, "real lines, bytes turned")


def test_they_agree_on_every_real_file(settings: Settings, shared_data: Path) -> None:
    """All that lies under SHARED_DATA."""
    readings = []
    paths = sorted(path for path in shared_data.rglob("*") if path.is_file())
    for path in paths:
        content = path.read_bytes()
        try:
            readings.append(agree(settings, content))
        except AssertionError as error:
            error.add_note(f"in {path.relative_to(shared_data)}")
            raise
    told("real files", readings)
    assert len(readings) == len(paths) >= 60
