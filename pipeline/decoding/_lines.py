"""What decoders share: how they decline, and the checks that msgspec leaves to us, done on many values at once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import msgspec
import pyarrow as pa

from pipeline.formats import Bad, instant

#: Moments kept as they were written: posts of a stream share their seconds.
MOST_MOMENTS: Final = 16_384
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


class Moments(dict[Any, int]):
    """A time as it is written → seconds since 1970.

    Raises:
        Declined: it is none (the missing one, which an id may know, too).
    """

    def __init__(self) -> None:
        super().__init__()
        self._midnights: dict[str, int] = {}

    def __missing__(self, written: Any) -> int:
        if len(self) >= MOST_MOMENTS:
            self.clear()
        moment = self[written] = self._within_its_day(written)
        return moment

    def _within_its_day(self, written: Any) -> int:
        """Posts of one place seldom share a second, but they share their days: reading a clock is a quarter of reading a time."""
        # "Thu Nov 05 18:00:00 +0000 2026" and "2026-11-05T18:00:00.000Z" have the clock at the same place
        if not isinstance(written, str) or written[13:17:3] != "::" or not (written[19:26] == " +0000 " or written[19:] == ".000Z"):
            return _seconds(written)
        hour, minute, second = (_TWO_DIGITS.get(written[place : place + 2], 60) for place in (11, 14, 17))
        if hour >= 24 or minute == 60 or second == 60:
            return _seconds(written)
        day = f"{written[:11]}00:00:00{written[19:]}"
        midnight = self._midnights.get(day)
        if midnight is None:
            if len(self._midnights) >= MOST_MOMENTS:
                self._midnights.clear()
            midnight = self._midnights[day] = _seconds(day)
        return midnight + hour * 3600 + minute * 60 + second


_TWO_DIGITS: Final = {f"{number:02}": number for number in range(60)}


def _seconds(written: object) -> int:
    try:
        return int(instant(written).timestamp())
    except Bad as error:
        raise Declined from error
