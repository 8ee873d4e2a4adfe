"""X is told ids and nothing else, tells which are gone, and those go; a run that is cut anywhere is taken up by the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from pipeline import compliance, extract, purge
from pipeline.cli import main
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.sandbox.faults import Fault, Script
from pipeline.sandbox.server import Server, running
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from pipeline.sources import x_jobs
from pipeline.sources.x_jobs import Job
from tests.fetched import put_pages
from tests.posts import make_page, make_place
from tests.purging import DAY, bring, number_of, numbers, post
from tests.searching import haystack, needles_found
from tests.servers import Reply, scripted

# deletion is a chapter of its own: all of it in `make test`
pytestmark = pytest.mark.slow

Make = Callable[..., Settings]


@pytest.fixture
def sandbox(make_settings: Make) -> Iterator[Server]:
    with running(World.of(make_settings())) as server:
        yield server


@pytest.fixture
def settings(make_settings: Make, sandbox: Server) -> Settings:
    """One day of ten tweets, all stages done; the sandbox answers."""
    settings = make_settings(X_BASE_URL=sandbox.url)
    put_pages(settings, "mexico-city", DAY, make_page(*(post(n) for n in range(9, -1, -1)), places=[make_place()]))
    bring(settings, [DAY])
    return settings


def ask(settings: Settings, seconds: float = 20.0) -> compliance.Answer:
    ids, _ = purge.held.ids(settings)
    return compliance.run(settings, ids, wait_seconds=seconds, poll_seconds=0.01)


def test_what_is_gone_at_x_goes_here(
    settings: Settings, sandbox: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command, by X's own words for why."""
    sandbox.service.gone |= {number_of(0): "deleted", number_of(1): "protected"}
    monkeypatch.setattr(compliance, "POLL_SECONDS", 0.01)
    for name, value in (("GEOBETA_CONFIG", settings.config), ("GEOBETA_DATA", settings.data), ("X_BASE_URL", sandbox.url)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("GEOBETA_AUTHOR_KEY", "a key for tests only")
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    assert main(["compliance"]) == 0
    said = capsys.readouterr().out
    assert "sent: 10 ids; gone: 2" in said
    assert "1 tweet deleted by its author, 1 tweet made private by its author" in said
    assert numbers(settings, DAY) == (8, 4, 8, 4)
    assert needles_found(haystack(settings), [number_of(0), number_of(1)], []) == []
    # the next run asks anew, and about what is left
    assert main(["compliance"]) == 0
    assert "sent: 8 ids; gone: 0" in capsys.readouterr().out


def test_all_versions_are_asked_about(make_settings: Make) -> None:
    """Of pages, archives and tables; made-up ones apart from real ones."""
    settings = make_settings()
    both = [str(number_of(0)), str(number_of(1))]
    put_pages(settings, "mexico-city", DAY, make_page(post(1, edit_history_tweet_ids=both), post(2)))
    put_pages(settings, "mexico-city", date(2026, 11, 6), make_page(post(5)), synthetic=False)
    assert purge.held.ids(settings) == ({number_of(0), number_of(1), number_of(2)}, 1)


def test_a_job_that_takes_long_is_taken_up(settings: Settings, sandbox: Server) -> None:
    """The ids are sent once; what came of it is asked for until it has been seen to."""
    sandbox.service.gone[number_of(0)] = "suspended"
    with pytest.raises(SourceUnavailable, match="still working"):
        ask(settings, seconds=0.0)
    answer = ask(settings)
    assert (answer.asked, [deletion.reason for deletion in answer.gone]) == (10, ["suspended"])
    assert ask(settings).gone == answer.gone
    compliance.done(settings)
    assert len(sandbox.service.jobs._jobs) == 1
    ask(settings)
    assert len(sandbox.service.jobs._jobs) == 2


def test_a_job_that_nobody_noted_is_ours_all_the_same(settings: Settings, sandbox: Server) -> None:
    """Killed between X's answer and our note of it: X takes one job at a time, and the waiting one has our name."""
    with pytest.raises(SourceUnavailable):
        ask(settings, seconds=0.0)
    (job,) = sandbox.service.jobs._jobs.values()
    job.ids, job.polls = None, 0
    compliance.done(settings)
    assert ask(settings).asked == 10
    assert len(sandbox.service.jobs._jobs) == 1


def test_faults_are_waited_out(settings: Settings, sandbox: Server) -> None:
    """As everywhere in the client."""
    sandbox.service.set_faults(Script({1: Fault("unavailable"), 3: Fault("unavailable")}))
    assert ask(settings).gone == ()


def test_where_nothing_is_held_nobody_is_asked(settings: Settings, sandbox: Server) -> None:
    """X would refuse an empty list, or fail the job; before the first night there is none to send."""
    assert compliance.run(settings, set(), wait_seconds=0.0) == compliance.Answer((), 0, 0)
    assert len(sandbox.service.jobs._jobs) == 0
    # a job that an earlier run began is seen to all the same
    ask(settings)
    assert compliance.run(settings, set(), wait_seconds=20.0).asked == 10


def test_nothing_but_ids_is_sent(settings: Settings, sandbox: Server) -> None:
    """One a line."""
    ask(settings)
    (job,) = sandbox.service.jobs._jobs.values()
    assert set(job.ids or ()) == {str(number_of(n)) for n in range(10)}


def test_no_id_and_no_address_lies_on_the_disk(settings: Settings, sandbox: Server) -> None:
    """Of a job its own id alone is kept."""
    ask(settings)
    (path,) = (settings.data / "compliance").iterdir()
    assert "http" not in path.read_text()
    assert not any(str(number_of(n)) in path.read_text() for n in range(10))


def test_real_pages_of_the_sandbox(make_settings: Make, tmp_path: Path) -> None:
    """A day that the sandbox gave, its own ids and request log: after the purge none of the ids is found in any file."""
    settings = make_settings(settings="[sandbox]\ntweets_per_day = 120\n[x]\npage_size = 20\n")
    (settings.data / "sandbox").mkdir(parents=True)
    with running(World.of(settings), folder=settings.data / "sandbox") as server:
        settings = make_settings(settings="[sandbox]\ntweets_per_day = 120\n[x]\npage_size = 20\n", X_BASE_URL=server.url)
        extract.run(settings, "mexico-city", DAY)
    bring(settings, [DAY])
    ids = sorted(purge.held.ids(settings)[0])
    gone = ids[:: len(ids) // 9]
    before = numbers(settings, DAY)
    report = purge.run(settings, purge.Asked(tweets=dict.fromkeys(gone, "deleted")), source="test")
    assert report.tweets >= len(gone)
    assert numbers(settings, DAY)[0] < before[0]
    assert needles_found(haystack(settings), gone, []) == []
    assert needles_found(haystack(settings), [next(i for i in ids if i not in gone)], []) != []


def test_a_refusal_does_not_tell_the_signed_address() -> None:
    """Stores of files repeat it in their words; what went wrong is told by their code."""
    said = b"<Error><Code>ExpiredToken</Code><StringToSign>GET /bucket/ids?X-Goog-Signature=secret</StringToSign></Error>"
    with scripted() as server:
        server.script[1] = Reply(400, body=said)
        job = Job("1", "complete", "geobeta", "", f"{server.url}/results?X-Goog-Signature=secret")
        with pytest.raises(SourceRefused, match=r"127\.0\.0\.1 answered HTTP 400 to GET \(ExpiredToken\)") as refused:
            x_jobs.download(job, timeout=5.0)
    assert "secret" not in str(refused.value)
