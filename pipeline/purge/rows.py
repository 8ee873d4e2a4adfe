"""Tweets that are gone in the database: finding them, taking them out of rows and counts, and leaving no trace on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2
import pyarrow as pa
import sqlalchemy as sa
from psycopg2 import sql

from pipeline import database, embedded, exclusion, redaction, tombstones
from pipeline.purge.pending import Day, Pending
from pipeline.settings import Settings
from pipeline.tombstones import Tombstones

#: Tables that may hold a tweet's id or text, and the one that remembers samples of their columns for the planner.
HOLDING = ("tweets", "tweet_matches", "billed_posts", "task_runs")
STATISTICS = "pg_statistic"
#: Rows looked at together.
BATCH: Final = 20_000
_TOLD: Final = ("author_key", "place_country")


@dataclass
class Found:
    """What the database holds of tweets that are gone.

    Attributes:
        tweets: (area, day) → their ids in `tweets`.
        matches: (study, day) → their ids in `tweet_matches`.
        billed: their ids in `billed_posts`.
        errors: run_id → the error without them, where one named any.
        versions: ids found in `tweets`, and why they are gone.
        days: the days whose numbers they change.
    """

    tweets: dict[Day, list[int]] = field(default_factory=dict)
    matches: dict[Day, list[int]] = field(default_factory=dict)
    billed: list[int] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    versions: dict[int, str] = field(default_factory=dict)
    days: Pending = field(default_factory=Pending)

    def __bool__(self) -> bool:
        return bool(self.tweets or self.matches or self.billed or self.errors)


def there(settings: Settings) -> bool:
    """Whether there is a database to look into: who has imported files and nothing else has none, and needs none."""
    return settings.database_url is not None or embedded.exists(settings)


def find(settings: Settings, stones: Tombstones) -> Found:
    """Look through the ids of all tables.

    Raises:
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    found = Found()
    if not stones or not there(settings):
        return found
    with database.transaction(settings, snapshot=True) as connection:
        for table in _batches(connection, "select area, day, tweet_id, version_id, author_key, place_country from tweets", _TWEETS):
            gone = table.filter(pa.array(stones.rows(table)))
            for row, why in zip(gone.to_pylist(), stones.why(gone), strict=True):
                area, day, tweet_id = row["area"], row["day"], row["tweet_id"]
                found.tweets.setdefault((area, day), []).append(tweet_id)
                found.versions |= {tweet_id: why, row["version_id"]: why}
                found.days.add((area, day), {stones.name(tweet_id): why})
        areas = {row.study: row.area for row in connection.execute(sa.text("select study, area from studies order by first_seen"))}
        for table in _batches(connection, "select study, day, tweet_id from tweet_matches", _MATCHES):
            for study, day, tweet_id in zip(*table.filter(pa.array(stones.rows(table))).to_pydict().values(), strict=True):
                found.matches.setdefault((study, day), []).append(tweet_id)
                if study in areas:
                    found.days.add((areas[study], day), {})
        for table in _batches(connection, "select post_id as tweet_id from billed_posts", _BILLED):
            found.billed += table.filter(pa.array(stones.rows(table))).column("tweet_id").to_pylist()
        for run_id, error in _stream(connection, "select run_id, error from task_runs where error ~ '[0-9]{10}'"):
            if (said := redaction.words(error, stones)) != error:
                found.errors[run_id] = str(said)
    return found


#: What is asked of each table: ids, and what tells where and by whom.
_DAY: Final = pa.field("day", pa.date32())
_ID: Final = pa.field("tweet_id", pa.int64())
_TWEETS: Final = pa.schema(
    [pa.field("area", pa.string()), _DAY, _ID, pa.field("version_id", pa.int64()), *(pa.field(name, pa.string()) for name in _TOLD)]
)
_MATCHES: Final = pa.schema([pa.field("study", pa.string()), _DAY, _ID])
_BILLED: Final = pa.schema([_ID])


def _batches(connection: sa.Connection, statement: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a query, BATCH at a time."""
    for rows in connection.execution_options(yield_per=BATCH).execute(sa.text(statement)).partitions():
        columns = zip(*rows, strict=True)
        yield pa.Table.from_arrays([pa.array(values, entry.type) for values, entry in zip(columns, schema, strict=True)], schema=schema)


def _stream(connection: sa.Connection, statement: str) -> Iterable[Any]:
    return connection.execution_options(yield_per=BATCH).execute(sa.text(statement))


def copy_tombstones(settings: Settings) -> None:
    """Bring the table of tombstones up to date with the files, for whoever looks there."""
    rows: dict[str, dict[str, Any]] = {}
    for line in tombstones.lines(settings):
        key = line.get("tweet") or line["author"]
        # an author may stand there twice, the second time with a later moment, or as withheld (of which the table tells no countries)
        if key not in rows or rows[key].get("until", 0) < line.get("until", 0):
            rows[key] = line
    if not rows:
        return
    columns = {"reasons": "reason", "sources": "source", "at": "noted_at", "until": "until"}
    given = {"keys": list(rows), **{name: [line.get(key) for line in rows.values()] for name, key in columns.items()}}
    with database.transaction(settings) as connection:
        # one statement: they only grow in number, and every purge comes here
        connection.execute(
            sa.text(
                "insert into tombstones (id_key, reason, source, noted_at, until_milliseconds)"
                " select * from unnest(cast(:keys as text[]), cast(:reasons as text[]), cast(:sources as text[]),"
                " cast(:at as timestamptz[]), cast(:until as bigint[]))"
                " on conflict (id_key) do update set until_milliseconds = excluded.until_milliseconds"
                " where tombstones.until_milliseconds < excluded.until_milliseconds"
            ),
            given,
        )


def remove(settings: Settings, found: Found) -> None:
    """Delete what was found, and take it out of the counts of its day, all at once: the tables agree whatever comes after.

    Where the day's files are there it is made again from them; where they are no more, this is all there is to do.
    """
    with database.transaction(settings) as connection:
        for (area, day), ids in sorted(found.tweets.items()):
            database.lock(connection, "tweets", area, day)
            _subtract(connection, {"area": area, "day": day, "ids": ids})
        for (study, day), ids in found.matches.items():
            given = {"study": study, "day": day, "ids": ids}
            connection.execute(sa.text("delete from tweet_matches where study = :study and day = :day and tweet_id = any(:ids)"), given)
        connection.execute(sa.text("delete from billed_posts where post_id = any(:ids)"), {"ids": found.billed})
        for run_id, error in found.errors.items():
            connection.execute(sa.text("update task_runs set error = :error where run_id = :run"), {"error": error, "run": run_id})


#: By a client that the study of daily_counts leaves out; each as `tweets` spells it.
_BY_CLIENT = """exists (
        select from unnest(cast(:leaving as text[]), cast(:clients as text[])) as left_out (study, client)
        where (left_out.study, left_out.client) = (daily_counts.study, tweets.client)
    )"""

#: What was counted of these tweets, by study and author. (Of an author who is left out author_counts has no row to take any from.)
_COUNTED = f"""
    select asked.study, author_key, count(*) as trials, count(tweet_matches.tweet_id) as matches
    from (select distinct study from studies where area = :area) as asked
    join daily_counts on daily_counts.study = asked.study
    join tweets on tweets.area = :area and tweets.day = daily_counts.day
    left join tweet_matches on (tweet_matches.study, tweet_matches.day, tweet_matches.tweet_id) = (asked.study, tweets.day, tweets.tweet_id)
    where daily_counts.day = :day and daily_counts.basis <> 'counts' and not is_retweet and tweets.tweet_id = any(:ids)
        and not {_BY_CLIENT}
    group by asked.study, author_key"""

_SUBTRACT = (
    # first, while author_counts tells whom the study did not leave out
    f"""update daily_counts set excluded = greatest(0, excluded - (
        select count(*) from tweets
        where area = :area and day = :day and not is_retweet and tweet_id = any(:ids) and ({_BY_CLIENT} or not exists (
            select from author_counts
            where (study, day) = (daily_counts.study, daily_counts.day) and author_counts.author_key is not distinct from tweets.author_key
        ))
    )) where day = :day and excluded > 0 and study in (select study from studies where area = :area)""",
    f"""update author_counts as old set trials = old.trials - gone.trials, matches = old.matches - gone.matches from ({_COUNTED}) as gone
    where old.study = gone.study and old.day = :day and old.author_key is not distinct from gone.author_key
        and old.trials >= gone.trials and old.matches >= gone.matches""",
    "delete from author_counts where day = :day and trials = 0 and study in (select study from studies where area = :area)",
    """update daily_counts set retweets = greatest(0, retweets - (
        select count(*) from tweets where area = :area and day = :day and is_retweet and tweet_id = any(:ids)
    )), (trials, matches, authors) = (
        select coalesce(sum(trials), 0), coalesce(sum(matches), 0), count(author_key)
        from author_counts where (study, day) = (daily_counts.study, daily_counts.day)
    ) where day = :day and basis <> 'counts' and study in (select study from studies where area = :area)""",
    """update partitions set loaded_at = now(), rows = (select count(*) from author_counts where (study, day) = (name, partitions.day))
    where dataset = 'counts' and day = :day and name in (select study from studies where area = :area)""",
    """delete from tweet_matches where day = :day and tweet_id = any(:ids) and study in (select study from studies where area = :area)""",
    "delete from tweets where area = :area and day = :day and tweet_id = any(:ids)",
    """update partitions set rows = (select count(*) from tweets where (area, day) = (name, partitions.day))
    where dataset = 'tweets' and day = :day and name = :area""",
)


def _subtract(connection: sa.Connection, given: dict[str, Any]) -> None:
    """Take tweets (area, day, ids) out of their table and out of the counts of every study that counted them."""
    given = given | _left_out(connection, given)
    for statement in _SUBTRACT:
        connection.execute(sa.text(statement), given)


def _left_out(connection: sa.Connection, given: dict[str, Any]) -> dict[str, list[str]]:
    """Clients that the studies left out when they counted that day, as pairs in two lists. (By the rule of then, not of today.)"""
    rules = connection.execute(
        sa.text(
            "select study, excluded -> 'clients' as clients from studies where area = :area and excluded is not null"
            " and exists (select from daily_counts where (study, rule_version, day) = (studies.study, studies.rule_version, :day))"
        ),
        given,
    ).all()
    pairs = {
        (row.study, client)
        for row in rules
        for client in exclusion.spelt(connection, exclusion.without(row.clients), given["area"], [given["day"]])
    }
    return {"leaving": [study for study, _ in sorted(pairs)], "clients": [client for _, client in sorted(pairs)]}


def wipe(settings: Settings, *, full: bool) -> None:
    """Clean the tables' files after deletions. `full`: write them anew, and leave nothing of the old ones, nor in the write-ahead log.

    The embedded server keeps no old log (wal_recycle is off there), so a switch and a checkpoint remove it. Of a server of one's own the
    log, its archive, replicas and backups are its owner's.

    Raises:
        DatabaseUnavailable: somebody has been reading a table for [database] lock_timeout_seconds; see pipeline.database.transaction too.
    """
    ours = settings.database_url is None
    how = sql.SQL("vacuum (full, analyze) {}") if full else sql.SQL("vacuum (analyze) {}")
    commands = [how.format(sql.Identifier(table)) for table in HOLDING]
    if ours:
        # ANALYZE has just replaced the samples that it took of the columns: the old rows of those go too
        commands += [sql.SQL("vacuum full {}").format(sql.Identifier(STATISTICS))]
        commands += [sql.SQL(command) for command in ("checkpoint", "select pg_switch_wal()", "checkpoint")]
    with database.typed_errors():
        connection = psycopg2.connect(database.libpq_url(settings), application_name="geobeta")
        try:
            # none of these runs inside a transaction
            connection.autocommit = True
            with connection.cursor() as cursor:
                # who waits for a table that a dashboard reads lets nobody else read it meanwhile
                cursor.execute("select set_config('lock_timeout', %s, false)", [f"{int(settings.database.lock_timeout_seconds * 1000)}ms"])
                for command in commands:
                    cursor.execute(command)
        finally:
            connection.close()
