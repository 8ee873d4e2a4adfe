"""Short keyed names by the million: as the reference has them, found again from files, in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from pipeline.tombstones import deletion_index, name_sets, siphash
from pipeline.tombstones.gone import Tombstones

ROOT = Path(__file__).resolve().parents[1]
#: The key 00 01 … 0f of the reference implementation (vectors.h of the authors), whose message of eight bytes is 00 01 … 07.
KEY = bytes(range(16))
MESSAGE = int.from_bytes(bytes(range(8)), "little")


def test_the_reference_vector() -> None:
    """SipHash-2-4 of eight bytes: 62 24 93 9a 79 f5 f5 93."""
    expected = int.from_bytes(bytes.fromhex("6224939a79f5f593"), "little")
    assert siphash.name(MESSAGE, KEY) == expected
    assert siphash.names(np.array([MESSAGE]), KEY).tolist() == [expected]


@hypothesis.given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.binary(min_size=16, max_size=16))
def test_many_at_once_are_as_one_by_one(numbers: list[int], key: bytes) -> None:
    """Negative ones too; each by the plain recipe of the paper."""
    assert siphash.names(np.array(numbers, np.int64), key).tolist() == [plain(number, key) for number in numbers]
    assert [siphash.name(number, key) for number in numbers] == [plain(number, key) for number in numbers]


def plain(number: int, key: bytes) -> int:
    """SipHash-2-4 as the paper has it, for a message of any blocks; written without a look at siphash.py's loops."""
    mask = 2**64 - 1

    def rotated(word: int, bits: int) -> int:
        return (word << bits | word >> (64 - bits)) & mask

    def round_(v: list[int]) -> None:
        for a, b, bits, turned in ((0, 1, 13, 0), (2, 3, 16, None), (0, 3, 21, None), (2, 1, 17, 2)):
            v[a] = (v[a] + v[b]) & mask
            v[b] = rotated(v[b], bits) ^ v[a]
            if turned is not None:
                v[turned] = rotated(v[turned], 32)

    k0, k1 = (int.from_bytes(key[half : half + 8], "little") for half in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    for block in (number & mask, 8 << 56):
        v[3] ^= block
        round_(v)
        round_(v)
        v[0] ^= block
    v[2] ^= 0xFF
    for _ in range(4):
        round_(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def test_pieces_join_seamlessly() -> None:
    """More numbers than are hashed at once."""
    numbers = np.arange(siphash.PIECE * 2 + 3, dtype=np.int64)
    found = siphash.names(numbers, KEY)
    some = [0, siphash.PIECE - 1, siphash.PIECE, siphash.PIECE * 2, len(numbers) - 1]
    assert [int(found[place]) for place in some] == [siphash.name(place, KEY) for place in some]


NAMES = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(2**64 - 5, 2**64 - 1), max_size=40)


@hypothesis.given(st.lists(NAMES, max_size=5), NAMES, st.booleans())
def test_a_set_in_files_holds_what_was_put_into_it(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], others: list[int], bits: bool
) -> None:
    """Whatever the pieces, and with the first bits beside it or not; the ends of the range too."""
    folder = tmp_path_factory.mktemp("names")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name_sets, "HELD", 16)
        patch.setattr(name_sets, "PIECE", 8)
        gathering = name_sets.Gathering(folder)
        for part in parts:
            gathering.add(np.array(part, np.uint64))
        everything = {name for part in parts for name in part}
        assert gathering.write(folder / "a.u64") == len(everything)
        assert name_sets.merge(name_sets.opened([folder / "a.u64"]), folder / "b.u64", bits=bits) == len(everything)
    assert sorted(path.name for path in folder.iterdir()) == ["a.u64", *(["b.bits"] if bits else []), "b.u64"]
    asked = [*others, *everything]
    found = name_sets.opened([folder / "b.u64"]).holds(np.array(asked, np.uint64))
    assert found.tolist() == [name in everything for name in asked]
    assert np.fromfile(folder / "b.u64", "<u8").tolist() == sorted(everything)


SCALE = """
import re, sys
from pathlib import Path
import numpy as np
from pipeline.tombstones import name_sets, siphash
folder, number = Path(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(5)
def peak():
    # not ru_maxrss, which a child takes over from its parent
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
begun = peak()
gathering = name_sets.Gathering(folder)
for _ in range(number // 50_000):
    gathering.add(siphash.names(rng.integers(1 << 60, 1 << 61, 50_000), bytes(16)))
gathering.write(folder / "deleted.u64")
name_sets.merge(name_sets.opened([folder / "deleted.u64"]), folder / "gathered.u64", bits=True)
print(peak() - begun)
"""


@pytest.mark.slow
def test_five_million_names(tmp_path: Path) -> None:
    """Gathered in less memory than they take themselves (40 MB of names, 120 with what a sort needs); 200,000 rows are looked up."""
    command = [sys.executable, "-c", SCALE, str(tmp_path), "5000000"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, check=True, capture_output=True, text=True)
    kilobytes = int(done.stdout)
    names = name_sets.opened([tmp_path / "gathered.u64"])
    assert names.size == pytest.approx(5_000_000, abs=10)
    rng = np.random.default_rng(5)
    gone = rng.integers(1 << 60, 1 << 61, 50_000)
    rows = np.concatenate([gone, rng.integers(1 << 61, 1 << 62, 150_000)])
    stones = Tombstones(b"k", {}, {}, archives=names)
    begun = time.process_time()
    found = np.concatenate([stones.archives.holds(siphash.names(rows[n : n + 16_384], bytes(16))) for n in range(0, len(rows), 16_384)])
    spent = time.process_time() - begun
    print(
        f"{kilobytes / 1024:.0f} MB more while gathering; 200,000 rows in {spent * 1000:.0f} ms of CPU, {spent / 200_000 * 1e9:.0f} ns each"
    )
    assert found.sum() == 50_000
    assert found[:50_000].all()
    assert kilobytes < 120 * 1024


def test_an_index_without_anything(tmp_path: Path) -> None:
    """An empty file is an empty set."""
    (tmp_path / "a.u64").touch()
    assert not name_sets.opened([tmp_path / "a.u64"])
    assert name_sets.merge(name_sets.NameSet(), tmp_path / "b.u64", bits=True) == 0
    assert deletion_index.Index().runs == {}
