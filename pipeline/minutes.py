"""Minutes in which an archive has a line: packed as its manifest keeps them, joined over many archives, and where there is none. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.days import Window

#: Of a day.
MINUTES: Final = 1440
_EPOCH: Final = date(1970, 1, 1)


def pack(alive: set[int]) -> dict[str, str]:
    """Minutes since 1970 as a bitmap of 1,440 bits a UTC day, in hexadecimal."""
    packed = {}
    for number, group in itertools.groupby(sorted(alive), key=lambda minute: minute // MINUTES):
        bits = np.zeros(MINUTES, np.bool_)
        bits[[minute % MINUTES for minute in group]] = True
        packed[(_EPOCH + timedelta(days=number)).isoformat()] = np.packbits(bits).tobytes().hex()
    return packed


def joined(archives: Iterable[tuple[Mapping[str, str], Window | None]]) -> dict[str, NDArray[np.bool_]]:
    """UTC day → which of its minutes any of the archives (packed minutes, the window that counts or None for all) has a line of."""
    # as numbers of 1,440 bits: Python joins those ten times faster than it makes thousands of arrays
    found: dict[str, int] = {}
    for packed, part in archives:
        for day, text in packed.items():
            bits = int(text, 16)
            if part is not None:
                # a day of which only a part was wanted is not held; what is known of it must fill no gap of another archive
                bits &= int.from_bytes(np.packbits(_within(day, part)).tobytes())
            found[day] = found.get(day, 0) | bits
    return {day: np.unpackbits(np.frombuffer(bits.to_bytes(MINUTES // 8), np.uint8)).astype(np.bool_) for day, bits in found.items()}


def _within(day: str, part: Window) -> NDArray[np.bool_]:
    """Which minutes of a UTC day lie in a window."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    first, last = ((moment - start) / timedelta(minutes=1) for moment in (part.start, part.end))
    numbers = np.arange(MINUTES)
    return (numbers >= first) & (numbers < last)


def of_window(index: Mapping[str, NDArray[np.bool_]], window: Window) -> NDArray[np.bool_]:
    """For every minute of the window, whether `joined` says that there is a line of it."""
    first, last = int(window.start.timestamp()) // 60, -(-int(window.end.timestamp()) // 60)
    alive = np.zeros(max(last - first, 0), np.bool_)
    for number in range(first // MINUTES, last // MINUTES + 1):
        bits = index.get((_EPOCH + timedelta(days=number)).isoformat())
        if bits is not None:
            begin, end = max(number * MINUTES, first), min((number + 1) * MINUTES, last)
            alive[begin - first : end - first] = bits[begin - number * MINUTES : end - number * MINUTES]
    return alive


def silences(alive: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first minute, length) of each stretch that is not alive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~alive, [False]]).astype(np.int8)))
    return [(int(first), int(last - first)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def clock(window: Window, zone: ZoneInfo, minute: int) -> str:
    """The minute of a window as clocks show it there; its end is 24:00."""
    moment = min(window.start + timedelta(minutes=minute), window.end)
    if moment == window.end:
        return "24:00"
    return moment.astimezone(zone).strftime("%H:%M")
