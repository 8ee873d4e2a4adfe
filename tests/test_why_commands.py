"""`why`, `as-of` and `compare` as they are typed: what they say, in 80 columns, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pipeline import cli, load, posterior, storage
from pipeline.cli import why
from pipeline.cli.compare import _verdict
from pipeline.cli.why import _change
from pipeline.restated import Move
from pipeline.schema import MATCHES
from pipeline.settings import Settings
from tests.conftest import STUDIES
from tests.partitions import write_counts
from tests.test_cli import installed
from tests.towns import Said, day, live, publish, write

# whole nights in the database: not for the fast loop
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("logging_as_it_was")]

__all__ = ["installed"]

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; give its exit code and all that it said."""

    def typed(*arguments: str) -> tuple[int, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as ended:
            code = int(str(ended.code))
        said = capsys.readouterr()
        return code, said.out + said.err

    return typed


@pytest.fixture
def town(installed: Callable[..., Settings]) -> Settings:
    """Five days, of which one came late and the last lacks its evening; both studies of it."""
    settings = installed()
    said = [Said(f"a{number}", 3 + number % 5, number % 3, f"place{number % 4}", hour) for number in range(40) for hour in (9, 19)]
    for number in (1, 2, 4):
        live(settings, number, said[:50] if number == 4 else said)
    live(settings, 3, [Said(f"b{number}", 4, 4) for number in range(40)])
    write(settings, 5, [some for some in said if some.hour == 9], missing=range(16, 24))
    publish(settings, 5)
    for number in range(1, 6):
        publish(settings, number, "water")
    return settings


def columns(said: str) -> int:
    return max(map(len, said.splitlines()))


def test_why_tells_all_there_is(town: Settings, run: Run) -> None:
    """The estimates, the publications, what was expected, and three kinds of moves; and that the row can be made again."""
    code, said = run("why", "traffic", "2026-11-04")
    assert code == 0
    assert columns(said) <= 80
    for words in (
        "traffic on Wednesday 4 November 2026, America/Mexico_City",
        "corrected for authors",
        "as if independent",
        "one vote an author",
        "tweets of one author hang together",
        "because: 1 day came late",
        "made again from the stored counts: the same to the last bit",
        "expected ",
        "a day at least so far out: ",
        "why it moved since 3 Nov 2026",
        "why the day was not like the days before it",
        "why it was published anew on ",
        "days came, or were restated",
    ):
        assert words in said, words
    code, said = run("why", "traffic", "2026-11-05")
    assert "observed: 67 % (8 hours missing)" in said
    assert "hours that one side did not observe: 16-24 (local time)" in said


@pytest.mark.parametrize("on", ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"])
def test_what_is_shown_adds_up(town: Settings, run: Run, on: str) -> None:
    """The parts in percentage points, as they are printed, to the last digit; each with a bar of its sign."""
    _, said = run("why", "traffic", on)
    blocks = re.split(r"\n\n", said)
    moves = [block for block in blocks if "change, percentage points" in block]
    assert len(moves) >= 2
    for block in moves:
        rows = re.findall(r"^  \D*? +([+-]\d+\.\d+)(?:  ([+-]+))?$", block, re.MULTILINE)
        *parts, (change, _) = rows
        assert sum(round(float(number) * 1e6) for number, _ in parts) == round(float(change) * 1e6)
        assert all(set(bar) == {number[0]} for number, bar in parts)


def test_the_change_is_that_of_the_two_shares_above_it() -> None:
    """A reader who subtracts what is printed gets what is printed; the largest part takes the rounding."""
    move = Move(0.08_993_4, 0.08_936_6, {"same_authors": -0.000_503, "place_mix": -0.000_065})
    assert _change(move) == "8.993 % to 8.937 %"
    shown = [line.split("  ")[-2 if "++" in line or "--" in line else -1].split()[-1] for line in why.parts(move)]
    assert shown == ["-0.050", "-0.006", "-0.056"]


def test_a_row_that_was_published_anew_with_the_same_share_has_no_long_tail() -> None:
    """A prior that says the same, or a window that holds all: no parts, and not six digits of nothing."""
    assert list(why.parts(Move(0.05_485_957, 0.05_485_957 + 1e-16, {"prior": 1e-16}))) == [
        f"  {'change, percentage points':<36}{'+0.00':>11}"
    ]


def test_the_day_is_held_against_what_was_expected_by_what_counts_of_it(installed: Callable[..., Settings], run: Run) -> None:
    """With a cap on authors the day's share is of what that leaves: as on the page and in the digest."""
    settings = installed(studies=STUDIES.replace("[water]", "author_cap = 2\n\n[water]"))
    for number in (1, 2):
        live(settings, number, [Said("robot", 50, 50), *(Said(f"a{some}", 1, 0) for some in range(10))])
    _, said = run("why", "traffic", "2026-11-02")
    assert "50 of 60 tweets match, 17 % of the 12 that the cap on authors leaves" in " ".join(said.split())
    assert "(after the cap on authors 24 weigh" in " ".join(said.split())


def test_a_row_of_tweets_is_told_as_one_after_the_study_went_to_x_s_counts(installed: Callable[..., Settings], run: Run) -> None:
    """Who wrote is known of it, and it cannot be said when it will be counted by X."""
    settings = installed()
    for number in (1, 2):
        live(settings, number, [*(Said(f"a{some}", 3, number) for some in range(9)), Said(f"only{number}", 3, 0)])
    installed(studies=STUDIES.replace("[water]", 'mode = "counts"\n\n[water]'))
    _, said = run("why", "traffic", "2026-11-02")
    assert "other authors wrote" in said
    assert "X counts" not in said
    assert "who wrote is not known" not in said
    assert "its configuration has changed since: a night that counts its day again publishes it anew" in " ".join(said.split())


def test_tweets_of_a_source_that_names_no_authors_are_not_called_old(installed: Callable[..., Settings], run: Run) -> None:
    """An archive without users: not corrected, because of the source."""
    settings = installed()
    live(settings, 1, [Said(None, 30, 3)])
    for said in (run("why", "traffic", "2026-11-01")[1], run("as-of", "2099-01-01")[1]):
        assert "not corrected for authors: its source names none" in said
        assert "worth" not in said


def test_what_nobody_knows_is_not_told_apart() -> None:
    """Where X counted, the widest interval has the last word."""
    assert _verdict(0.01, 0.05, None) == "The two can be told apart."
    assert _verdict(0.01, 0.05, (0.005, 0.06)) == "The two can be told apart."
    assert "only if they have no authors in common" in _verdict(0.01, 0.05, (-0.01, 0.07))
    assert "cannot be told apart" in _verdict(-0.01, 0.05, (-0.03, 0.07))


def test_a_study_that_x_counts_says_what_nobody_knows(installed: Callable[..., Settings], run: Run) -> None:
    """No authors, no places: not corrected, and nothing that could be split."""
    settings = installed(studies=STUDIES.replace("[water]", 'mode = "counts"\n\n[water]'))
    for number, matches in ((1, 10), (2, 30)):
        folder = write_counts(settings, "traffic", day(number), {None: (100, matches)}, basis="counts")
        manifest = storage.read_json(folder / "manifest.json") | {"authors": None, "retweets": None}
        storage.write_json(folder / "manifest.json", manifest)
        storage.write_parquet(folder / "matches.parquet", MATCHES.empty_table())
        load.counts(settings, "traffic", day(number))
        posterior.update(settings, "traffic", day(number))
    code, said = run("why", "traffic", "2026-11-02")
    assert code == 0
    assert "not corrected for authors: X names none" in said
    assert "X counts and names no authors or places" in said
    assert "who wrote is not known" in said
    assert "other authors wrote" not in said
    _, said = run("as-of", "2099-01-01T00:00Z")
    assert "not corrected for authors: X names none" in said


def test_as_of_shows_a_moment(town: Settings, run: Run) -> None:
    """The end of a day long after: each study's newest row, or all of one; before anything was published, nothing."""
    code, said = run("as-of", "2099-01-01")
    assert code == 0
    assert "as it stood at the end of 2099-01-01 where each area lies: 2099-01-02 06:00:00 UTC" in " ".join(said.split())
    assert re.findall(r"^(2026-11-\d+)", said, re.MULTILINE) == ["2026-11-05", "2026-11-05"]
    assert columns(said) <= 80
    _, said = run("as-of", "2099-01-01T00:00+01:00", "--study", "traffic")
    assert "as it stood at 2098-12-31 23:00:00 UTC" in said
    assert len(re.findall(r"^2026-11-", said, re.MULTILINE)) == 5
    assert "nothing was published by then" in run("as-of", "2020-01-01T00:00Z")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("as-of", "2026-11-05T08:00"), 2, "an instant of no time zone; write 2026-11-05T08:00Z for UTC"),
        (("as-of", "yesterday"), 2, "wanted a day such as 2026-11-05"),
        (("why", "nonsense", "2026-11-05"), 2, "nonsense"),
        (("why", "traffic", "2026-10-05"), 1, "nothing was published of traffic on 2026-10-05"),
        (("compare", "traffic"), 2, "compare A B"),
        (("compare", "traffic", "traffic"), 2, "compared with itself"),
        (("compare", "traffic", "--period", "2026-11-01"), 2, "wanted two days"),
        (("compare", "traffic", "--period", "2026-11-02..2026-11-01", "--with", "2026-11-03..2026-11-04"), 2, "backwards"),
        (("compare", "traffic", "water", "--date", "2026-10-01"), 1, "nothing is published of traffic on 2026-10-01"),
        (
            ("compare", "traffic", "--period", "2026-10-01..2026-10-02", "--with", "2026-11-03..2026-11-04"),
            1,
            "nothing of traffic is counted",
        ),
    ],
)
def test_what_cannot_be_is_refused(installed: Callable[..., Settings], run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With what was got, what was wanted, and an exit code that says whose turn it is."""
    installed()
    got, said = run(*arguments)
    assert got == code
    assert words in " ".join(said.split())


def test_compare_in_plain_words(town: Settings, run: Run) -> None:
    """Two studies, and two periods that overlap."""
    code, said = run("compare", "traffic", "water")
    assert code == 0
    assert columns(said) <= 80
    assert "A: traffic up to 2026-11-05" in said
    assert "The share of A is larger than that of B with a probability of" in " ".join(said.split())
    code, said = run("compare", "traffic", "--period", "2026-11-01..2026-11-03", "--with", "2026-11-03..2026-11-06")
    told = " ".join(said.split())
    assert code == 0
    assert "the periods overlap: 1 day is in both" in told
    assert "2026-11-03 to 2026-11-06: 3 of 4 days have counts" in told
