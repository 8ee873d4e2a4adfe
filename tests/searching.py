"""A byte search over all that an installation keeps: files, plain and opened, the columns of Parquet, and the database's dump."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline import database, embedded
from pipeline.settings import Settings


def haystack(settings: Settings, *folders: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of everything below the data folder (and other folders), plain and opened, and of pg_dump."""
    for path in sorted(path for folder in (settings.data, *folders) for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield str(path), content
        if path.suffix == ".zst":
            yield f"{path} (opened)", zstandard.decompress(content)
        if path.suffix == ".parquet":
            yield f"{path} (columns)", _columns(pq.ParquetFile(path).read())
    yield "pg_dump", dump(settings)


def _columns(table: pa.Table) -> bytes:
    """Every value, in Arrow's own bytes: integers little-endian, texts as they are."""
    return b"\n".join(buffer.to_pybytes() for column in table.columns for chunk in column.chunks for buffer in chunk.buffers() if buffer)


def dump(settings: Settings) -> bytes:
    """What pg_dump writes."""
    program = embedded.program(settings, "pg_dump")
    done = subprocess.run([program, "--dbname", database.libpq_url(settings)], capture_output=True, check=True, cwd="/")
    return done.stdout


def patterns(ids: Iterable[int], texts: Iterable[str]) -> dict[str, bytes]:
    """What is searched for: an id as decimal digits and as eight bytes both ways round, a text in UTF-8 and as JSON may escape it."""
    found: dict[str, bytes] = {}
    for number in ids:
        found |= {f"{number}": b"%d" % number, f"{number} little": struct.pack("<q", number), f"{number} big": struct.pack(">q", number)}
    for text in texts:
        found |= {
            text: text.encode(),
            f"{text} escaped": text.encode("ascii", "backslashreplace"),
            f"{text} utf-16": text.encode("utf-16-le"),
        }
        # the unique end of it alone, as it stands in what was folded or cut
        found[f"{text} end"] = text.split()[-1].encode()
    return found


def needles_found(where: Iterable[tuple[str, bytes]], ids: Iterable[int], texts: Iterable[str]) -> list[tuple[str, str]]:
    """(what, in which file) of every pattern found."""
    wanted = patterns(ids, texts)
    return [(name, place) for place, content in where for name, pattern in wanted.items() if pattern in content]
