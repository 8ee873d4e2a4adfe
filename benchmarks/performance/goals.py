"""What was to be reached, what was measured, and whether that is it; and how runs are laid out as tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.performance import generate, venvs
from benchmarks.performance.side_by_side import Taken, Way, script


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise of speed.

    Attributes:
        what: in words, without the number.
        wanted: the number.
        measured: None where it could not be.
        at_most: whether the smaller is the better.
        unit: after the numbers.
        takes: what it would take, where it is not reached.
    """

    what: str
    wanted: float
    measured: float | None
    at_most: bool = True
    unit: str = "×"
    takes: str = ""

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.measured is not None and (self.measured <= self.wanted if self.at_most else self.measured >= self.wanted)

    def row(self) -> str:
        """A row of the table of goals."""
        measured = "not measured" if self.measured is None else f"{self.measured:.3g} {self.unit}"
        side = "at most" if self.at_most else "at least"
        verdict = "met" if self.met else f"**not met**{': ' if self.takes else ''}{self.takes}"
        return f"| {self.what} | {side} {self.wanted:g} {self.unit} | {measured} | {verdict} |"


HEAD = ("| goal | wanted | measured | |", "|---|---|---|---|")


@dataclass(frozen=True, slots=True)
class Bench:
    """How it is measured.

    Attributes:
        scale: 1 is the sizes of the goals.
        rounds: runs of each competitor.
        told: is given what happens.
    """

    scale: float = 1.0
    rounds: int = 3
    told: Callable[[str], None] = field(default=lambda line: None)

    def competitors(self, variants: Mapping[str, tuple[str, str]], *arguments: str, slow: Collection[str] = ()) -> Iterator[Way | str]:
        """Ways by name of (variant, environment); a line that says so where an environment cannot be made. The slow ones run once."""
        for name, (variant, environment) in variants.items():
            try:
                yield Way(name, [*script(variant, venvs.python(environment)), *arguments], once=name in slow)
            except venvs.Missing as error:
                yield f"{name} is not measured: {error}"


def about(name: str, bench: Bench) -> str:
    """What an archive is."""
    made = generate.described(name, bench.scale)
    return (
        f"`{generate.path(name, bench.scale).name}`: {made['lines']:,} lines, {made['plain'] / 1e6:,.0f} MB plain, "
        f"{made['packed'] / 1e6:,.0f} MB packed ({made['plain'] / made['packed']:.1f} to 1)"
    )


def table(taken: Mapping[str, Taken], least: str | None = None) -> Iterator[str]:
    """CPU, wall and memory of each; and how many times the CPU time of the one called `least`."""
    base = taken[least].cpu if least in taken else None
    yield f"| | CPU s |{f' × {least} |' if base else ''} wall s | peak MB | n | k |"
    yield f"|---|--:|{'--:|' if base else ''}--:|--:|--:|--:|"
    for name, found in taken.items():
        times = f" {found.cpu / base:.2f} |" if base else ""
        counts = " | ".join(f"{found.said[key]:,}" if key in (found.said or {}) else "" for key in ("n", "k"))
        yield f"| {name} | {found.cpu:.2f} |{times} {found.wall:.2f} | {found.peak:.0f} | {counts} |"


def agreed(taken: Mapping[str, Taken]) -> str:
    """That all who counted found the same.

    Raises:
        RuntimeError: they did not; then nothing is comparable.
    """
    for key in ("n", "k", "rows"):
        said = {name: found.said[key] for name, found in taken.items() if key in (found.said or {})}
        if len(set(said.values())) > 1:
            raise RuntimeError(f"the competitors do not agree on {key}: {said}")
    return "All that count agree on the rows, n and k."
