"""One study as the page shows it: pictures drawn, numbers put into words. No database, no files, no HTML but the pictures'."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from altair.utils import schemapi
from markupsafe import Markup

from pipeline.report import charts, curves, grounds, hours, picture, words
from pipeline.report.data import ALARM_NIGHTS, StudyDays, local_dates
from pipeline.settings import Area
from pipeline.study import Study


@dataclass(frozen=True)
class Note:
    """Something the reader must not miss. kind decides the colour only: synthetic, shift, flag, stale, sample, counts, partial, missing."""

    kind: str
    text: str


@dataclass(frozen=True)
class Card:
    """What the template needs for one study; see page.html.j2. Texts are plain: the template escapes them."""

    name: str
    question: str
    area: str
    synthetic: bool
    share: str
    interval: str
    interval_50: str
    sentence: str
    of_day: str
    notes: list[Note]
    #: the headline first
    estimates: list[grounds.Estimate]
    #: why the headline is not corrected for authors; empty where it is
    uncorrected: str
    #: "up" or "down" where an alarm of this study was found on the report's night; else empty
    shift: str
    #: alarms of that night that concern the whole area, in words
    area_shifts: list[str]
    density: Markup
    band: Markup
    daily: Markup
    counts: Markup
    prior: Markup
    #: the prior in words, below its picture
    prior_said: str
    rule_kind: str
    rules: list[str]
    rule_options: list[str]
    #: what the number rests on, and how it was made
    facts: list[tuple[str, str]]
    made: list[tuple[str, str]]
    rows: list[dict[str, str]]
    #: one of schema.BASES
    basis: str
    #: the newest day's: "a sample: 512 of about 8,300 posts"; empty where it is none
    sample: str
    #: the observed share of the newest day where it is partial; else empty
    partial: str

    @property
    def has_share(self) -> bool:
        """Whether there is a posterior at all."""
        return bool(self.share)

    def has_days(self, status: str) -> bool:
        """Whether a day is "missing", "partial" or "outside" (what was expected): decides whether the key explains it."""
        return any(row["status"] == status or (status == "outside" and row["outside"]) for row in self.rows)


def card(study: Study, area: Area, known: StudyDays, *, report_day: Any, truth: float | None = None) -> Card:
    """Everything the page says of one study.

    Args:
        study: as configured now.
        area: its area.
        known: its days, from data.study_days.
        report_day: the day (a date) the page is for.
        truth: the sandbox's true share over the counted days; None where the tweets are real.
    """
    latest = known.latest
    kind, rules, options = words.rules(dict(study.match))
    if study.mode == "counts":
        options = ["as X's own search matches it"]
    shown = dict.fromkeys(("share", "interval", "interval_50", "sentence", "of_day"), "")
    if latest is not None and known.latest_day is not None:
        low, high = latest["lower_95"], latest["upper_95"]
        shown = {
            "share": words.percent(latest["mean"], words.decimals(low, high)),
            "interval": words.interval(low, high),
            "interval_50": words.interval(latest["lower_50"], latest["upper_50"]),
            "sentence": words.headline(latest["mean"], low, high, counted=_COUNTED[known.basis]),
            "of_day": words.day_long(known.latest_day),
        }
    return Card(
        name=study.name,
        question=study.question,
        area=area.name,
        synthetic=known.synthetic,
        notes=_notes(known, area, report_day),
        rule_kind=kind,
        rules=rules,
        rule_options=options,
        estimates=[] if latest is None else grounds.estimates(latest),
        uncorrected="" if latest is None else grounds.uncorrected(latest),
        shift=known.shift(report_day),
        area_shifts=[grounds.alarm(row) for row in known.tonight(report_day) if row["subject"] == row["area"]],
        prior_said=grounds.prior(study, latest, current=known.current),
        facts=_facts(study, known, truth),
        made=_made(study, area, known),
        rows=[_row(row, known, area) for row in known.days.iloc[::-1].to_dict("records")],
        basis=known.basis,
        sample=_sample(known, known.latest_day),
        partial=_partial(known, known.latest_day),
        share=shown["share"],
        interval=shown["interval"],
        interval_50=shown["interval_50"],
        sentence=shown["sentence"],
        of_day=shown["of_day"],
        **_pictures(study, known, shown),
    )


#: What the headline says the number was made from, by basis.
_COUNTED = {
    "tweets": "the tweets counted so far",
    "sample": "the tweets sampled so far",
    "counts": "the tweets that X counted so far",
}


def _sample(known: StudyDays, day: date | None) -> str:
    """How much of a day its sample is; empty where the day is none."""
    found = known.days[(known.days["day"] == pd.Timestamp(day)) & (known.days["basis"] == "sample")] if day else known.days.iloc[:0]
    return "" if found.empty else words.sample(found["sampled"].iloc[0], found["population"].iloc[0])


def _partial(known: StudyDays, day: date | None) -> str:
    """The observed share of a day that is partial; empty where it is not."""
    found = known.days[(known.days["day"] == pd.Timestamp(day)) & (known.days["status"] == "partial")] if day else known.days.iloc[:0]
    return "" if found.empty else words.observed(float(found["coverage"].iloc[0]))


def _pictures(study: Study, known: StudyDays, shown: dict[str, str]) -> dict[str, Markup]:
    """The pictures, safe to be put into HTML as they are: picture.svg builds them from an XML tree, which escapes texts."""
    if known.latest is None:
        return dict.fromkeys(("density", "band", "daily", "counts", "prior"), Markup())
    basis = {"sample": " (a sample)", "counts": " (by X)"}.get(known.basis, "")
    span = f"from {words.day_short(study.start)} to {words.day_short(known.days['day'].max().date())}"
    prior = grounds.prior(study, known.latest, current=known.current)
    labels = {
        "band": f"Share over the days {span}; on {shown['of_day']} {shown['share']}{basis}, 95 % interval {shown['interval']}.",
        "daily": f"Each day's own share{basis}, {span}, before the range that the days before led to expect; the table has the numbers.",
        "counts": f"Tweets counted{basis} and tweets that matched a day, {span}; the table below has the numbers.",
        "density": f"How plausible each share is: highest near {shown['share']}{basis}, 95 % of it at {shown['interval']}.",
        "prior": f"What was believed before the first tweet ({prior}), and what is now.",
    }
    # Altair checks every object against the schema as it is made, half of a page's time; tests/test_charts.py checks the pictures.
    with schemapi.debug_mode(False):
        drawn = {
            "density": curves.share_density(known.latest),
            "band": charts.posterior_band(known.days),
            "daily": charts.daily_shares(known.days),
            "counts": charts.counts_a_day(known.days),
            "prior": curves.prior_and_posterior(known.latest),
        }
        return {name: Markup(picture.svg(chart, name=f"{study.name}-{name}", label=labels[name])) for name, chart in drawn.items()}


def _notes(known: StudyDays, area: Area, report_day: Any) -> list[Note]:
    notes = []
    if known.synthetic:
        notes.append(
            Note("synthetic", "Synthetic: these tweets are made up by geobeta's sandbox. The numbers say nothing about the real place.")
        )
    if known.latest is None:
        notes.append(Note("missing", "There is no number yet: no day of this study has been counted."))
        return notes
    notes += [Note("shift", f"Shift: {grounds.alarm(row)}.") for row in known.tonight(report_day) if row["subject"] != row["area"]]
    notes += [Note("flag", said) for said in grounds.flags(known.latest)]
    if known.latest_day != report_day:
        notes.append(
            Note(
                "missing",
                f"The newest number is of {words.day_long(known.latest_day)}: later days are not counted yet." if known.latest_day else "",
            )
        )
    if not known.current:
        notes.append(
            Note("stale", "The rule, the box, the prior or the counts have changed since this number was made. Run the night again.")
        )
    missing, partial = known.of_status("missing"), known.of_status("partial")
    if known.basis == "counts":
        notes.append(
            Note("counts", f"{words.BY_X[0].upper()}{words.BY_X[1:]}. No tweet is stored, and the rule is not quite geobeta's own.")
        )
    if known.latest["days_sampled"]:
        notes.append(Note("sample", _samples(known)))
    if missing:
        notes.append(
            Note("missing", f"{words.counted(len(missing), 'day')} missing and not part of the number: {words.day_list(missing)}.")
        )
    if partial:
        listed = "; ".join(hours.partial_days(known, area.zone))
        notes.append(Note("partial", f"{words.counted(len(partial), 'day')} only partly observed. {listed}."))
    return notes


def _samples(known: StudyDays) -> str:
    """What the reader has to know of a number that is made of samples."""
    assert known.latest is not None
    sampled, days = int(known.latest["days_sampled"]), int(known.latest["days"])
    of_day = _sample(known, known.latest_day)
    text = f"{words.day_short(known.latest_day)} is {of_day}. " if of_day and known.latest_day else ""
    which = "All days counted are samples" if sampled == days else f"{sampled:,} of the {words.counted(days, 'day')} counted are samples"
    return (
        f"{text}{which}: tweets of time slices drawn at random over the whole day. The share speaks of the whole day; n is what was taken."
    )


def _facts(study: Study, known: StudyDays, truth: float | None) -> list[tuple[str, str]]:
    """What the number rests on."""
    latest = known.latest
    if latest is None:
        return []
    days, matched = words.counted(int(latest["days"]), "day"), int(latest["matches"])
    told = "\n".join(said for _, said in grounds.shifts(known.alarms))
    looked_for = "none found" if study.alarms else "not looked for in this study"
    facts = [
        (
            "Counted",
            f"{words.counted(int(latest['trials']), 'tweet')} over {days}, of which {matched:,} matched"
            + (f"; {words.BY_X}" if known.basis == "counts" else ""),
        ),
        *grounds.authors(latest),
        ("Observed", _observed(known)),
        *([("Samples", f"{int(latest['days_sampled']):,} of {days}")] if latest["days_sampled"] else []),
        *grounds.left_out(study, known.weighing.dropna(subset=["trials"])),
        ("This day by itself", grounds.of_day(_newest(known), grounds.number(latest, "author_cap"))),
        ("The next day", grounds.next_day(latest)),
        (f"Shifts in the last {ALARM_NIGHTS} nights", told or looked_for),
    ]
    if truth is not None:
        inside = latest["lower_95"] <= truth <= latest["upper_95"]
        places = words.decimals(latest["lower_95"], latest["upper_95"])
        facts.append(
            ("True share in the sandbox", f"{words.percent(truth, places)}, {'inside' if inside else 'outside'} the 95 % interval")
        )
    return [(name, value) for name, value in facts if value]


def _newest(known: StudyDays) -> dict[Any, Any]:
    """The row of the newest number's day."""
    assert known.latest is not None
    found: dict[Any, Any] = known.days[known.days["day"] == known.latest["day"]].iloc[0].to_dict()
    return found


def _made(study: Study, area: Area, known: StudyDays) -> list[tuple[str, str]]:
    """How the number came about."""
    box, latest = area.box, known.latest
    where = f"{area.name}: {words.box(box.west, box.south, box.east, box.north)} ({box.surface_km2:,.0f} km²), days of {area.timezone}"
    made = [
        ("Area", where),
        ("Prior", grounds.prior(study, latest, current=known.current)),
        ("Forgetting", grounds.forgets(study, latest)),
    ]
    if latest is not None:
        made += [("Posterior", f"Beta({latest['alpha']:,.2f}, {latest['beta']:,.2f})"), ("Made", _by(latest, known.changes))]
    return made


def _observed(known: StudyDays) -> str:
    """How much of the counted days was really seen, and the reasons for the rest."""
    counted = known.weighing.dropna(subset=["trials"])
    shares = counted["coverage"].dropna()
    reasons = dict.fromkeys(str(reason) for reason in counted.loc[counted["status"] != "whole", "coverage_reason"].dropna() if reason)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    if shares.empty:
        return f"nobody knows how much of these days the source gave{why}"
    text = f"{words.percent(float(shares.mean()), 1 if shares.mean() < 0.9995 else 0)} of {words.counted(len(shares), 'day')}"
    text += why
    unknown = len(counted) - len(shares)
    return f"{text}; unknown for {words.counted(unknown, 'day')}" if unknown else text


def _by(latest: dict[str, Any], changes: int) -> str:
    made_by = "" if pd.isna(latest["marker"]) else f", revision {latest['marker']}"
    run = "" if pd.isna(latest["run_id"]) else f", run {str(latest['run_id'])[:8]}"
    restated = f"; {words.counted(changes, 'published number')} restated since" if changes else ""
    return f"{pd.Timestamp(latest['published_at']).tz_convert('UTC'):%Y-%m-%d %H:%M} UTC{made_by}{run}{restated}"


def _row(row: dict[Any, Any], study: StudyDays, area: Area) -> dict[str, str]:
    """One line of the table of days."""

    def whole(name: str) -> str:
        return "" if pd.isna(row[name]) else f"{int(row[name]):,}"

    known = not pd.isna(row["mean"])
    # the area's hours may be those of a day that this study does not count
    of_day = hours.of_day(study, row["day"]) if row["status"] == "partial" else []
    seen = {"whole": "100\u00a0%", "partial": words.observed(row["coverage"])}.get(row["status"], "")
    reason = row["reason"] or hours.missing(of_day, area.zone) or ("" if pd.isna(row["coverage_reason"]) else str(row["coverage_reason"]))
    status = {"whole": "", "unknown": "observed share unknown"}.get(row["status"], row["status"])
    sample = words.sample(row["sampled"], row["population"]) if row["basis"] == "sample" else ""
    foretold = not pd.isna(row["expected_lower_95"])
    outside = "outside what was expected" if row["outside"] else ""
    return {
        "day": local_dates([row["day"]])[0].isoformat(),
        "status": row["status"],
        "trials": whole("trials"),
        "matches": whole("matches"),
        "authors": "unknown" if row["basis"] == "counts" else whole("authors"),
        # the 100 % of a sample would be taken for all tweets of the day
        "observed": seen if not sample else "sample" if row["status"] == "whole" else f"sample, {seen}",
        "own": "" if pd.isna(row["own"]) else words.percent(row["own"], _places(row)),
        "expected": words.interval(row["expected_lower_95"], row["expected_upper_95"]) if foretold else "",
        "outside": outside,
        "share": words.percent(row["mean"], words.decimals(row["lower_95"], row["upper_95"])) if known else "",
        "interval": words.interval(row["lower_95"], row["upper_95"]) if known else "",
        "strip": hours.strip(of_day, area.zone),
        "note": "; ".join(part for part in (": ".join(filter(None, (status, reason))), sample, outside) if part),
    }


def _places(row: dict[Any, Any]) -> int:
    """Decimals of a day's own share: those of the range that was expected of it."""
    return 1 if pd.isna(row["expected_lower_95"]) else words.decimals(row["expected_lower_95"], row["expected_upper_95"])
