"""What decoders share: how they decline, and the checks that msgspec leaves to us, done on many values at once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec
import pyarrow as pa

from pipeline.formats import Bad, instant

#: Minutes kept as they were written: eleven days of them.
MOST_MINUTES: Final = 16_384
_LARGEST_ID: Final = 2**63 - 1
T = TypeVar("T")


class Declined(Exception):
    """The lines are for documents.py and formats/."""


#: Puts what was read into the extract; to be called once.
Keep: TypeAlias = Callable[[], None]


class Decoder(Protocol):
    """Reads lines of one shape for an extract."""

    def read(self, lines: Sequence[bytes]) -> Keep:
        """Read lines, at least one; nothing of them is in the extract before `Keep` is called.

        Raises:
            Declined: one of them is for documents.py and formats/; none is to be kept.
        """
        ...


def decoded(decode: Callable[[bytes], T], lines: Sequence[bytes]) -> list[T]:
    """A value for each line.

    Raises:
        Declined: a line is no JSON of the decoder's type, or not UTF-8 (which msgspec does not look at in what it passes over).
    """
    try:
        values = list(map(decode, lines))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Declined from error
    if not all(map(bytes.isascii, lines)) and not _is_utf8(b"".join(lines)):
        raise Declined
    return values


def _is_utf8(text: bytes) -> bool:
    # Arrow tells in a third of the time that decoding takes
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(array("q", (0, len(text)))), pa.py_buffer(text)])
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def whole_ids(ids: Sequence[str]) -> list[int]:
    """Ids as numbers.

    Raises:
        Declined: formats.whole_id would refuse one, or take it in another way.
    """
    joined = "".join(ids)
    # int() alone takes signs, blanks, underscores and the digits of other alphabets
    if not (joined.isascii() and joined.encode().isdigit()) or max(map(len, ids)) > 19:
        raise Declined
    try:
        numbers = list(map(int, ids))
    except ValueError as error:
        raise Declined from error
    if min(numbers) <= 0 or max(numbers) > _LARGEST_ID:
        raise Declined
    return numbers


class Moments:
    """Times as they are written, to seconds since 1970: posts of a stream share their seconds, those of one place their minutes."""

    def __init__(self) -> None:
        self._minutes = _Minutes()

    def seconds(self, written: Sequence[str]) -> list[int]:
        """Each of the times.

        Raises:
            Declined: one of them is none (or one that an id may know better).
        """
        different = set(written)
        if 2 * len(different) > len(written):
            return self._each(written)
        known = dict(zip(different, self._each(different), strict=True))
        return [known[moment] for moment in written]

    def _each(self, written: Collection[str]) -> list[int]:
        minutes = self._minutes
        try:
            return [minutes[moment[:17] + moment[19:]] + _TWO_DIGITS[moment[17:19]] for moment in written]
        except KeyError:
            return list(map(_seconds, written))


class _Minutes(dict[str, int]):
    """A time without its seconds, "Thu Nov 05 18:00: +0000 2026" or "2026-11-05T18:00:.000Z" → the minute's begin, since 1970.

    Raises:
        KeyError: it is none of these two.
    """

    def __missing__(self, written: str) -> int:
        # 24:00:00 is a time to some versions of Python, 24:00:01 to none
        if written[13:17:3] != "::" or written[11:13] >= "24" or not (written[17:24] == " +0000 " or written[17:] == ".000Z"):
            raise KeyError(written)
        if len(self) >= MOST_MINUTES:
            self.clear()
        try:
            minute = self[written] = _seconds(f"{written[:17]}00{written[17:]}")
        except Declined as error:
            raise KeyError(written) from error
        return minute


_TWO_DIGITS: Final = {f"{number:02}": number for number in range(60)}


def _seconds(written: object) -> int:
    try:
        return int(instant(written).timestamp())
    except Bad as error:
        raise Declined from error
