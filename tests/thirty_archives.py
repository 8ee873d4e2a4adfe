"""Thirty archive files of two days of the city: several formats and packings, copies, overlaps, a cut one and a broken one."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from tests.packed import tarred, zipped
from tests.posts import lines, make_flat, make_page, make_post, make_tweet, new_time, notices, snowflake

#: The first local day begins at 06:00 UTC.
START = datetime(2026, 11, 5, 6, tzinfo=UTC)
NO_GEO = {"coordinates": None, "geo": None, "place": None}
WORDS = ("Mucho tráfico", "No hay agua", "Buenos días", "otro embotellamiento", "hola")
PACKINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("jsonl", bytes),
    ("jsonl.gz", lambda content: gzip.compress(content, mtime=0)),
    ("jsonl.bz2", bz2.compress),
    ("jsonl.zst", zstandard.compress),
    ("jsonl.xz", lzma.compress),
)


def write(folder: Path, *, each: int = 60) -> list[Path]:
    """Write the files, of `each` tweets; give them in their order."""
    folder.mkdir(parents=True)
    contents: dict[str, bytes] = {}
    for number in range(20):
        kind, pack = PACKINGS[number % len(PACKINGS)]
        # every second one holds half of the one before
        made = _posts(number * each - (number % 2) * each // 2, each, version=1 + number % 2)
        contents[f"{number:02}.{kind}"] = pack(made)
    contents["20.copy-of-01.gz"] = contents["01.jsonl.gz"]
    contents["21.copy-of-02.bz2"] = contents["02.jsonl.bz2"]
    contents["22.tar.gz"] = gzip.compress(tarred({f"{n:02}.json": _posts(n * each, each // 2, version=1) for n in range(4)}), mtime=0)
    contents["23.zip"] = zipped({f"{n:02}.json.gz": gzip.compress(_posts(n * each, each // 3, version=2), mtime=0) for n in range(3)})
    contents["24.cut.gz"] = gzip.compress(_posts(400, each, version=1), mtime=0)[:-40]
    contents["25.broken.json"] = b"\x00\x01 no JSON at all\n{\n" + _posts(500, 5, version=1)
    contents["26.notices.json"] = lines(*notices().values())
    contents["27.empty.json"] = b""
    contents["28.pages.json"] = lines(*(make_page(*(_post(n) for n in range(k, k + 10))) for k in range(0, each, 10)))
    contents["29.flat.json"] = lines(
        *(make_flat(id=_post(n)["id"], created_at=_post(n)["created_at"], text=_post(n)["text"]) for n in range(20))
    )
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def _moment(number: int) -> datetime:
    # 1,440 over two days
    return START + timedelta(minutes=2 * (number % 1440))


def _post(number: int) -> dict[str, object]:
    at = _moment(number)
    return make_post(at=at, id=str(snowflake(at, number)), created_at=new_time(at), text=f"{WORDS[number % 5]} {number}")


def _posts(first: int, count: int, *, version: int) -> bytes:
    numbers = range(max(first, 0), max(first, 0) + count)
    if version == 2:
        return lines(*(make_page(_post(number)) for number in numbers))
    return lines(*(_tweet(number) for number in numbers))


def _tweet(n: int) -> dict[str, object]:
    user = {"id": n % 17, "id_str": str(n % 17)}
    return make_tweet(at=_moment(n), sequence=n, text=f"{WORDS[n % 5]} {n}", user=user, **(NO_GEO if n % 3 else {}))
