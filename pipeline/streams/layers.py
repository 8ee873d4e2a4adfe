"""What the layers of a packed file have in common: a stream that ends early where it is broken, where that is noted, how much may come out.

What is peeled off compression.py, tars.py and zips.py know, in which order streams/__init__.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol, cast

from pipeline.errors import ArchiveError

BUFFER: Final = 256 * 1024
#: Bytes of the file itself that are read at a time, where it is packed: few, so that a bomb is seen early.
PACKED_BUFFER: Final = 64 * 1024
#: Every stream gives at least so many bytes at once, if it has them: enough to see tar's mark at byte 257, and its checksum.
HEAD: Final = 512
#: Damages told one by one; of more the number.
MOST_DAMAGES: Final = 1000
#: A name in an archive may have 10,000 characters; as a label so many are enough.
LONGEST_LABEL: Final = 200

#: A bomb is stopped after so many bytes, or lines, with nothing usable in them; it is looked for every so many bytes.
BOMB_BYTES: Final = 64 * 1024 * 1024
BOMB_LINES: Final = 1_000_000
LOOK_EVERY: Final = 4 * 1024 * 1024
#: Bytes given for each byte of the file. Tweets compress 8 to 20 times, the same few over and over 100 times; zeros 1,000 times and more.
BOMB_RATIO: Final = 200
#: Bombs in one file after which the rest of it is not read (16 zips in 16 zips in 16 zips ...).
MOST_BOMBS: Final = 8
#: Archives in archives of one file that hold nothing usable, one after another, before that.
MOST_EMPTY: Final = 10_000


#: What to do about a file that was refused.
STRICTLY: Final = "mend the file, or import it without --strict: what cannot be used is then counted, and the rest is kept"
#: What is said of a bomb.
BOMB: Final = (
    f"over {BOMB_RATIO} times its size came out, many megabytes with nothing usable in them; what follows in this layer is not read"
    " (unpack it yourself and import that, if it should be)"
)

#: What is said after the last of them.
ENOUGH: Final = (
    "much came out with nothing usable in it, again and again: no more of this file is read (unpack it yourself, if it should be)"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a compressed or packed layer broke; everything before it has been read.

    `offset` is in bytes: of compressed input for a decompressor, of the file within the layer above for a container.
    Reasons that begin with `passed_` are no loss: links and devices, which hold no bytes of their own.
    """

    member: str
    reason: str
    offset: int
    detail: str

    @property
    def harmless(self) -> bool:
        """Whether nothing of what the archive holds was lost."""
        return self.reason.startswith("passed_")


class Damages(list[Damage]):
    """Damages of one file: MOST_DAMAGES and the number of more, so that no archive fills the memory with them.

    Args:
        strict: whether the first damage shall stop the reading.
    """

    def __init__(self, strict: bool = False) -> None:
        super().__init__()
        self._strict = strict
        self._more = 0

    def append(self, damage: Damage, /) -> None:
        """Take one.

        Raises:
            ArchiveError: strict, and something was lost.
        """
        if self._strict and not damage.harmless:
            where = f"{damage.member}, " if damage.member else ""
            raise ArchiveError(f"{where}byte {damage.offset:,}: {damage.reason} ({damage.detail})", todo=STRICTLY)
        if len(self) < MOST_DAMAGES:
            super().append(damage)
        else:
            self._more += 1
            self[MOST_DAMAGES:] = [Damage("", "more_damages", 0, f"{self._more:,} more, not told one by one")]


class Limits:
    """Tells a bomb: much that came out of little, and nothing usable in it.

    One for all layers of a file, so that it does not matter in how many of them the bomb is wrapped. Looked at in stretches of what all
    layers together give: no bomb is a stretch that took its part of the file's bytes, nor one that has a usable record for each megabyte.
    So a real archive cannot be taken for one however well it compresses, but for many megabytes in a row of nothing but zeros or line ends.

    Args:
        counted: gives (lines, usable records) that were read so far.
    """

    def __init__(self, counted: Callable[[], tuple[int, int]]) -> None:
        self._counted = counted
        self._taken = self._given = 0
        self._next = LOOK_EVERY
        self._then = (0, 0)
        self._records_then = 0
        self._bombs = self._empty = 0

    @property
    def exhausted(self) -> bool:
        """Whether no more of the file shall be read."""
        return self._bombs >= MOST_BOMBS or self._empty >= MOST_EMPTY

    def took(self, size: int) -> None:
        """So many bytes of the file itself were read."""
        self._taken += size

    def gave(self, size: int) -> bool:
        """So many bytes came out of a layer; tell whether that layer must stop."""
        self._given += size
        if self._given < self._next:
            return self.exhausted
        self._next = self._given + LOOK_EVERY
        now = self._counted()
        lines, records = now[0] - self._then[0], now[1] - self._then[1]
        is_empty = self._given > BOMB_RATIO * self._taken and records < self._given // 2**20
        is_long = self._given >= BOMB_BYTES or (is_empty and lines >= BOMB_LINES)
        if is_long:
            self._taken, self._given, self._next, self._then = 0, 0, LOOK_EVERY, now
        self._bombs += is_empty and is_long
        return (is_empty and is_long) or self.exhausted

    def opened(self) -> None:
        """An archive in an archive was opened."""
        _, records = self._counted()
        self._empty = self._empty + 1 if records == self._records_then else 0
        self._records_then = records


@dataclass(frozen=True, slots=True)
class Shared:
    """What all layers of one file share."""

    damages: list[Damage]
    limits: Limits
    skip: Callable[[str], bool]

    def note(self, member: str, reason: str, offset: int, detail: str) -> None:
        """Write down what broke; words of libraries may hold anything."""
        self.damages.append(Damage(member, reason, offset, label(detail)))


class Layer(io.RawIOBase):
    """A read-only stream of plain bytes; subclasses give pieces, and end early, with the damage noted, where they are broken."""

    def __init__(self, name: str, shared: Shared) -> None:
        super().__init__()
        self.member, self.shared = name, shared
        self._stopped = False

    def readable(self) -> bool:
        """As a file."""
        return True

    def readinto(self, target: Any, /) -> int:
        """As a file."""
        view = memoryview(target).cast("B")
        filled = 0
        # one read shows what is inside
        while filled < min(HEAD, len(view)) and not self._stopped:
            size = self.fill(view[filled:])
            if size == 0:
                break
            filled += size
            if self.shared.limits.gave(size):
                self.stop()
                self.shared.note(self.member, *self.bomb())
        return filled

    def fill(self, view: memoryview) -> int:
        """Put at least one byte into the view, and give how many; 0 at the end."""
        raise NotImplementedError

    def stop(self) -> None:
        """Give no more."""
        self._stopped = True

    def bomb(self) -> tuple[str, int, str]:
        """(reason, offset, detail) of a layer that gives out much more than any archive of tweets would."""
        return "bomb", 0, BOMB


class Source(io.RawIOBase):
    """The file itself, its bytes counted."""

    def __init__(self, file: Any, limits: Limits) -> None:
        super().__init__()
        self._file, self._limits = file, limits

    def readable(self) -> bool:
        """As a file."""
        return True

    def seekable(self) -> bool:
        """As a file."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As a file."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """As a file."""
        return int(self._file.tell())

    def readinto(self, target: Any, /) -> int:
        """As a file."""
        size = int(self._file.readinto(target) or 0)
        self._limits.took(size)
        return size


def buffered(raw: io.RawIOBase | io.BufferedReader, size: int = BUFFER) -> io.BufferedReader:
    """The stream with a buffer before it."""
    return io.BufferedReader(cast("Any", raw), size)


class Readable(Protocol):
    """What a layer needs of the layer below it."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Forward:
    """A stream that counts where it is, and into which what was read too far can be put back; seeks forward only."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._position = 0
        self._back = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; fewer at the end only."""
        parts, wanted = [], size
        while wanted and (part := self._some(wanted)):
            parts.append(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, size: int) -> bytes:
        part, self._back = self._back[:size], self._back[size:]
        part = part or self._stream.read(size)
        self._position += len(part)
        return part

    def readinto(self, view: memoryview) -> int:
        """Fill the view, or what the end leaves of it."""
        if self._back:
            part = self._some(len(view))
            view[: len(part)] = part
            return len(part)
        size = int(cast("Any", self._stream).readinto(view) or 0)
        self._position += size
        return size

    def unread(self, rest: bytes) -> None:
        """Put back what was read last."""
        self._back = rest + self._back
        self._position -= len(rest)

    def tell(self) -> int:
        """Bytes read."""
        return self._position

    def seek(self, position: int, /) -> int:
        """Go forward to a position, or to the end where that comes first.

        Raises:
            OSError: that lies behind.
        """
        if position < self._position:
            raise OSError("a stream cannot go back")
        while self._position < position and self._some(min(position - self._position, BUFFER)):
            pass
        return self._position


def label(name: str) -> str:
    """A name from an archive as a label: one line that does nothing to a terminal or a file, whoever made it up."""
    text = name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if not text.isprintable():
        text = "".join(part if part.isprintable() else part.encode("unicode_escape", "backslashreplace").decode() for part in text)
    half = LONGEST_LABEL // 2
    return text if len(text) <= LONGEST_LABEL else f"{text[:half]}…{text[1 - half :]}"
