"""The digest in words: what each alarm says, the night's text in 80 columns, and the message that is sent. Pure.

Numbers and days are said as on the page (report/words.py), with plain blanks: this is read in mails and terminals.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from pipeline.alarms import Verdict
from pipeline.report import words
from pipeline.report.words import WHOLE
from pipeline.stats.attribution import Attribution

WIDTH = 80

#: Beside the largest part a second one is named that is at least so large.
_WORTH_NAMING = 1 / 3
_PARTS = {
    "same_authors": "the same authors",
    "other_authors": "other authors",
    "place_mix": "other places",
    "coverage": "other hours observed",
    "rule_version": "another rule",
    "prior": "the prior",
}
#: A day as far out as one in so many is called surprising.
_SURPRISING = 0.05
#: What has to be said wherever a number of X's own counts shows.
UNCORRECTED = "not corrected for authors: X names none"


def place(area: str) -> str:
    """mexico-city is "Mexico City"."""
    return area.replace("-", " ").title()


def about(subject: str, area: str) -> str:
    """The study mexico-city-traffic is "traffic in Mexico City"."""
    topic = subject.removeprefix(f"{area}-")
    return f"{topic.replace('-', ' ')} in {place(area)}"


def day_brief(day: date) -> str:
    """Sun 15 Nov."""
    return f"{day:%a} {day.day} {day:%b}"


def said(verdict: Verdict, why: Attribution | None = None) -> str:
    """An alarm in one line that a person can act on; it needs no line beside it."""
    what = {"share": _share, "volume": _volume, "coverage": _coverage}[verdict.kind](verdict)
    parts = [what, *_how(verdict)]
    if why is not None and verdict.kind == "share":
        parts.append(_why(why, words.decimals(verdict.expected_lower, verdict.expected_upper)))
    if verdict.by_x and verdict.kind == "share":
        parts.append(UNCORRECTED)
    if verdict.kind != "coverage" and verdict.seen is not None and verdict.seen < WHOLE:
        parts.append(f"{words.observed(verdict.seen)} of the day observed")
    line = "; ".join(parts)
    return plain(f"[synthetic] {line}" if verdict.synthetic else line)


def _share(verdict: Verdict) -> str:
    low, high = verdict.expected_lower, verdict.expected_upper
    share = words.percent(verdict.observed, words.decimals(low, high))
    return f"{about(verdict.subject, verdict.area)}: {share} on {day_brief(verdict.day)}, expected {words.interval(low, high)}"


def _volume(verdict: Verdict) -> str:
    number = f"{round(verdict.observed):,}"
    usual = _usual(f"{round(verdict.expected_lower):,}", f"{round(verdict.expected_upper):,}")
    if verdict.by_x:
        return f"{about(verdict.subject, verdict.area)}: X counted {number} tweets on {day_brief(verdict.day)}, {usual}"
    return f"{place(verdict.area)}: {number} tweets on {day_brief(verdict.day)}, {usual}"


def _coverage(verdict: Verdict) -> str:
    usual = _usual(*(words.observed(share).removesuffix("\u00a0%") for share in (verdict.expected_lower, verdict.expected_upper)))
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{place(verdict.area)}: {words.observed(verdict.observed)} of {day_brief(verdict.day)} observed, {usual} %{reason}"


def _usual(low: str, high: str) -> str:
    return f"usual {low}" if low == high else f"usual {low} to {high}"


def _how(verdict: Verdict) -> list[str]:
    """Which way, and by which nights it shows, where not by this one alone."""
    shows = {0: ["twice as far out as any night before"], 1: []}
    told = [verdict.direction, *shows.get(verdict.nights, [f"the last {verdict.nights} nights together show it"])]
    if verdict.kind == "share" and verdict.expected_lower <= verdict.observed <= verdict.expected_upper:
        # what is expected of a day allows for new authors; its past may have been of the same ones
        told.append("within that, but rare among its own past nights")
    return told if verdict.calibrated else [*told, f"only {words.counted(verdict.past, 'past night')} to judge by"]


def _why(why: Attribution, places: int) -> str:
    (name, largest), (other, second), *_ = why.parts.items()
    change = f"{100 * why.change:+.{places}f} points"
    if abs(second) < _WORTH_NAMING * abs(largest):
        return f"mostly {_PARTS[name]} ({100 * largest:+.{places}f} of {change})"
    parts = (f"{_PARTS[which]} ({100 * value:+.{places}f})" for which, value in ((name, largest), (other, second)))
    return f"mostly {' and '.join(parts)}, of {change}"


def plain(text: str) -> str:
    """With blanks where lines may break too."""
    return text.replace("\u00a0", " ")


def wrapped(text: str, indent: int = 2) -> str:
    """A line of text as lines of at most 80 columns, the first indented, the others more. Numbers stay with their unit."""
    lines = textwrap.wrap(
        text.replace(" %", "\u00a0%"), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_on_hyphens=False
    )
    return plain("\n".join(lines))


def subject(alarms: Sequence[Mapping[str, Any]]) -> str:
    """The subject of a mail, short enough for a list of them; of made-up numbers it says so first."""
    days = sorted({alarm["day"] for alarm in alarms})
    when = day_brief(days[0]) if len(days) == 1 else f"{day_brief(days[0])} to {day_brief(days[-1])}"
    mark = "SYNTHETIC: " if any(alarm["synthetic"] for alarm in alarms) else ""
    named = f"{alarms[0]['kind']} of {alarms[0]['subject']} {alarms[0]['direction']}"
    more = f" and {len(alarms) - 1} more" if len(alarms) > 1 else ""
    return f"[geobeta] {mark}{words.counted(len(alarms), 'shift')} on {when}: {named}{more}"


def study_lines(study: Mapping[str, Any]) -> list[str]:
    """A study's part of the digest, a line each."""
    name = study["study"]
    if study["mean"] is None:
        return [wrapped(f"{name}: no number of this day: {study['missing']}")]
    marks = [mark for mark, applies in _marks(study).items() if applies]
    low, high = study["lower_95"], study["upper_95"]
    share = words.percent(study["mean"], words.decimals(low, high))
    lines = [wrapped(f"{name}: {share} ({words.interval(low, high)}){''.join(f'; {mark}' for mark in marks)}")]
    lines.append(wrapped(_day(study), 4))
    if study["coverage"] is None:
        lines.append(wrapped(f"coverage not known{f': {reason}' if (reason := study['coverage_reason']) else ''}", 4))
    elif study["coverage"] < WHOLE:
        lines.append(wrapped(f"partial: {words.observed(study['coverage'])} of the day observed: {study['coverage_reason'] or ''}", 4))
    if study["days_missing"]:
        lines.append(wrapped(f"missing: {words.counted(study['days_missing'], 'day')} of those that weigh", 4))
    return lines


def _marks(study: Mapping[str, Any]) -> dict[str, bool]:
    return {
        "synthetic": study["synthetic"],
        "a sample": study["basis"] == "sample",
        f"counted by X, {UNCORRECTED}": study["basis"] == "counts",
    }


def _day(study: Mapping[str, Any]) -> str:
    n, k = study["trials"], study["matches"]
    if not n:
        return "the day: no tweets"
    low, high = study["expected_lower_95"], study["expected_upper_95"]
    share = words.percent(study["own_matches"] / study["own_trials"], words.decimals(low, high))
    cap = "" if study["own_trials"] == n else f" of the {study['own_trials']:,} that the cap on authors leaves"
    line = f"the day: {k:,} of {words.counted(n, 'tweet')}, {share}{cap}; expected {words.interval(low, high)}"
    surprise = study["surprise"]
    if surprise is None or surprise >= _SURPRISING:
        return line
    often = f"1 day in {math.floor(1 / surprise):,}" if surprise > 1e-6 else "1 day in more than 1,000,000"
    return f"{line}; surprising: {often} is so far out"


def deliveries(alarms: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each alarm and channel of which nobody can say that it arrived."""
    lines = []
    for alarm in alarms:
        what = f"{alarm['kind']} of {alarm['subject']}, {day_brief(alarm['day'])}"
        for channel, told in alarm["deliveries"].items():
            if told["status"] == "sending":
                lines.append(f"{channel}: {what}: may not have arrived: the run ended while it was being sent; it is not sent again")
            elif told["status"] == "failed":
                lines.append(f"{channel}: {what}: not told: {told['error']}; tried {words.counted(told['attempts'], 'time')}")
    return lines


def paragraph(alarms: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the alarms say, one below the other."""
    return [wrapped(alarm["said"]) for alarm in alarms]
