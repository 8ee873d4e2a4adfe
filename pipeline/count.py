"""CountMatches: from one day's tweets and a study's rule to counts, the only thing that a posterior ever reads.

What a match is belongs to matchers/, which tweets there are to clean.py. Retweets are neither trials nor matches; quotes are both,
by their own text. Of a study in mode "counts" X has counted already: then its numbers only take their place here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import clean, exclusion, extract_counts, faults, matchers, storage
from pipeline.errors import MissingData, expired
from pipeline.exclusion import NOBODY, LeftOut
from pipeline.progress import Progress, silent
from pipeline.schema import AUTHOR_COUNTS, MATCHES
from pipeline.settings import Settings
from pipeline.study import Study

#: Raise it whenever the same tweets and the same rule would give other files; tests/test_count.py pins the output.
CODE_VERSION = 1


def rule_version(settings: Settings, study: Study) -> str:
    """A digest of the study's rule, of who matches by it and of whom it leaves out: what `rule_version` says in the tables."""
    if study.mode == "counts":
        return storage.digest(study.match, "counts")
    return storage.digest(study.match, *exclusion.of(settings, study).parts)


def revisions(settings: Settings, study_name: str) -> Callable[[str], str]:
    """From the revision of a day's tweets to that of its counts; where X counts, tweets have no say, and any will do."""
    study = settings.study(study_name)
    if study.mode == "counts":
        counted = storage.digest("count", CODE_VERSION, "counts", extract_counts.revision(settings, study_name))
        return lambda _: counted
    return storage.digest_around(("count", CODE_VERSION), (study.match, *exclusion.of(settings, study).parts))


def revision(settings: Settings, study_name: str, day: dt.date) -> str:
    """A digest of all that decides this partition's content: this code, the tweets (or X's answers), the rule, whom it leaves out."""
    study = settings.study(study_name)
    return revisions(settings, study_name)("" if study.mode == "counts" else clean.revision(settings, study.area, day))


def revisions_by_day(settings: Settings, study_name: str) -> Callable[[dt.date], str]:
    """`revision` as a function of the day, for whoever asks about many: what the days have in common is looked up once."""
    study = settings.study(study_name)
    of = revisions(settings, study_name)
    if study.mode == "counts":
        return lambda _: of("")
    cleaned = clean.Revisions(settings, study.area)
    return lambda day: of(cleaned.of(day))


def partition(settings: Settings, study_name: str, day: dt.date) -> Path:
    """Where the counts of one study and local day are: the folder exists exactly if they are complete."""
    return settings.data / "counts" / f"study={study_name}" / f"date={day}" / f"revision={revision(settings, study_name, day)}"


def run(settings: Settings, study_name: str, day: dt.date, *, progress: Progress = silent) -> dict[str, Any]:
    """Count one day of a study; where that is done already, only read what it came to.

    Writes authors.parquet (schema.AUTHOR_COUNTS, sorted, tweets without an author gathered in the last row, whose author is
    null), matches.parquet (schema.MATCHES, sorted) and manifest.json. Equal input gives equal bytes.

    Of a study in mode "counts" authors.parquet has one row, of no author, and matches.parquet none.

    Returns:
        The manifest: trials, matches, retweets (number of tweets), authors (known ones with a trial), evidence (trials and matches
        by kind), clean's coverage, coverage_reason and synthetic, basis (one of schema.BASES), and for a sample the posts
        received (sampled) of those that X said there are (population). Where X counted, retweets and authors are None: nobody knows.
        Where the study leaves anybody out, excluded: so many tweets are neither trials nor retweets; and excluded_by: how many of
        these for their author, and how many others for their client.

    Raises:
        MissingData: the day's tweets, or X's answers, are not there.
        SettingsError: no such study, or its rule cannot be used.
    """
    study = settings.study(study_name)
    final = partition(settings, study_name, day)
    if final.is_dir():
        manifest: dict[str, Any] = storage.read_json(final / "manifest.json")
        return manifest
    made = _counted_by_x if study.mode == "counts" else _counted_here
    authors, matched, counts = made(settings, study, day, progress)
    manifest = {
        "study": study_name,
        "area": study.area,
        "day": day.isoformat(),
        **counts,
        "rule_version": rule_version(settings, study),
        "code_version": CODE_VERSION,
    }
    with storage.publish_directory(final) as folder:
        storage.write_parquet(folder / "authors.parquet", authors)
        faults.point("count.parquet")
        storage.write_parquet(folder / "matches.parquet", matched)
        storage.put_json(folder / "manifest.json", manifest)
        faults.point("count.publish")
    left_out = f", {counts['excluded']:,} left out" if "excluded" in counts else ""
    progress(1.0, f"{study_name} {day}: {counts['matches']:,} of {counts['trials']:,} tweets match{left_out}")
    return manifest


def _basis(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the day's tweets are: all that were found, or a sample of how many posts out of how many."""
    if given.get("mode", "whole") != "sample":
        return {"basis": "tweets", "sampled": None, "population": None}
    received = sum(hour["fetched"] for hour in given["hours"])
    return {"basis": "sample", "sampled": received, "population": given["sample"]["population"]}


def _counted_here(settings: Settings, study: Study, day: dt.date, progress: Progress) -> tuple[pa.Table, pa.Table, dict[str, Any]]:
    source = clean.partition(settings, study.area, day)
    if not source.is_dir():
        raise MissingData(
            f"the tweets of {study.area} on {day} are not there; counting {study.name} needs them",
            todo=f"run CleanTweets --area {study.area} --date {day} first",
        )
    progress(None, f"{study.name} {day}: matching")
    given = storage.read_json(source / "manifest.json")
    if "expired" in given:
        raise expired(f"{study.area} on {day}")
    rule = matchers.build(study.match)
    authors, matched, counts = count(_read(source / "tweets.parquet", exact=rule.exact), rule, exclusion.of(settings, study))
    observed = {name: given.get(name) for name in ("coverage", "coverage_reason")}
    about = {**observed, "synthetic": given["synthetic"], **_basis(given), "source": source.name.removeprefix("revision=")}
    return authors, matched, {**counts, **about}


def _counted_by_x(settings: Settings, study: Study, day: dt.date, progress: Progress) -> tuple[pa.Table, pa.Table, dict[str, Any]]:
    source = extract_counts.partition(settings, study.name, day)
    if not source.is_dir():
        raise MissingData(
            f"X's counts of {study.name} on {day} are not there", todo=f"run ExtractCounts --study {study.name} --date {day} first"
        )
    given = extract_counts.manifest(settings, study.name, day)
    trials, matches = given["trials"], given["matches"]
    rows = [{"author_key": None, "trials": trials, "matches": matches}] if trials else []
    counts = {"trials": trials, "matches": matches, "authors": None, "retweets": None, "evidence": {}}
    # X answers for the whole day or not at all
    about = {"coverage": 1.0, "coverage_reason": "", "synthetic": given["synthetic"], "source": source.name.removeprefix("revision=")}
    about["sources"] = ["sandbox counts" if given["source"] == "sandbox" else "x counts"]
    return pa.Table.from_pylist(rows, AUTHOR_COUNTS), MATCHES.empty_table(), {**counts, "basis": "counts", **about}


def _read(path: Path, *, exact: bool) -> pa.Table:
    """The columns that counting needs; the text as the rule wants it is called `text`."""
    text = "searchable" if exact else "folded"
    table = pq.ParquetFile(path).read(["tweet_id", "author_key", "client", "is_retweet", "evidence", text])
    return table.rename_columns({text: "text"})


def count(tweets: pa.Table, rule: matchers.Matcher, left_out: LeftOut = NOBODY) -> tuple[pa.Table, pa.Table, dict[str, Any]]:
    """Count trials and matches: a pure function of tweets in any order.

    Args:
        tweets: columns tweet_id, author_key, is_retweet, evidence, and text as the rule wants it; client too, where any is left out.
        rule: decides what a match is.
        left_out: whose tweets are neither trials nor matches.

    Returns:
        Counts by author (schema.AUTHOR_COUNTS), the tweets that matched (schema.MATCHES), and the sums for the manifest.
    """
    written = _sorted(tweets.filter(pc.invert(tweets["is_retweet"])), "tweet_id")
    trials, excluded = _without(written, left_out)
    trials = trials.append_column("rule", rule.match(trials["text"]))
    authors = _sums(trials, "author_key").cast(AUTHOR_COUNTS)
    evidence = _sums(trials, "evidence").to_pylist()
    matched = trials.filter(pc.is_valid(trials["rule"])).select(["tweet_id", "rule"]).cast(MATCHES)
    return (
        authors,
        matched,
        {
            "trials": trials.num_rows,
            "matches": matched.num_rows,
            "authors": authors.num_rows - authors["author_key"].null_count,
            "retweets": tweets.num_rows - written.num_rows,
            "evidence": {row["evidence"]: {"trials": row["trials"], "matches": row["matches"]} for row in evidence},
            **excluded,
        },
    )


def _without(written: pa.Table, left_out: LeftOut) -> tuple[pa.Table, dict[str, Any]]:
    """The tweets of everybody else, and how many others there were, for the manifest."""
    if not left_out:
        return written, {}
    author = left_out.by_author(written["author_key"])
    client = left_out.by_client(written["client"]) & ~author
    numbers = {"authors": int(author.sum()), "clients": int(client.sum())}
    return written.filter(pa.array(~(author | client))), {"excluded": sum(numbers.values()), "excluded_by": numbers}


def _sums(trials: pa.Table, key: str) -> pa.Table:
    """Trials and matches by `key`, sorted by it, null last."""
    # pyarrow's own group_by, as its sort_by, imports its engine for data sets first: a fifth of a second, in every process
    encoded = trials[key].combine_chunks().dictionary_encode(null_encoding="encode")
    numbers, matched = encoded.indices.to_numpy(), trials["rule"].is_valid().to_numpy()
    sums = [np.bincount(some, minlength=len(encoded.dictionary)) for some in (numbers, numbers[matched])]
    return _sorted(pa.table([encoded.dictionary, *map(pa.array, sums)], [key, "trials", "matches"]), key)


def _sorted(table: pa.Table, key: str) -> pa.Table:
    """The table sorted by a column that holds no value twice, null last."""
    return table.take(pc.sort_indices(table, [(key, "ascending")]))
