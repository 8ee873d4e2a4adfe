"""Whole nights with a shift in the last: told by webhook, once, whatever is run again; a webhook that is down fails no night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.digest.words import day_brief
from tests.chain import Installation
from tests.servers import Reply, receiving

pytestmark = pytest.mark.slow

#: Nights of this week: of older ones nobody is told. The one after the last is over, too, in every zone.
NIGHTS = [datetime.now(UTC).date() - timedelta(days=back) for back in (6, 5, 4, 3)]
START, LAST, STOP = str(NIGHTS[0]), str(NIGHTS[-1]), str(NIGHTS[-1] + timedelta(days=1))
#: From the last night on the made-up city speaks of traffic thirty times as much.
SHIFTED = f'[sandbox]\ntweets_per_day = 150\nsteps = [{{ day = {LAST}, topic = "traffic", factor = 30.0 }}]\n'


@pytest.fixture
def shifted(installation: Installation) -> Installation:
    """An installation with a shift in its last night."""
    installation.settings = SHIFTED
    installation.studies = installation.studies.replace("2026-11-01", START)
    installation.studies = installation.studies.replace("[water]", "prior = { alpha = 1.0, beta = 9.0 }\n\n[water]")
    installation.write()
    return installation


def deliveries(installation: Installation) -> list[tuple[object, ...]]:
    return installation.query("select kind, subject, day::text, channel, status from alarm_deliveries order by 1, 2, 3, 4")


def tasks_run(installation: Installation) -> dict[str, int]:
    """How often each task ran."""
    return {str(task): int(str(times)) for task, times in installation.query("select task, count(*) from task_runs group by task")}


def test_nights_tell_a_shift_once(shifted: Installation) -> None:
    """A digest a night; the shift by webhook, marked as made up; a rerun runs no task and sends nothing; nor does one after kill -9."""
    with receiving() as hook:
        shifted.environ["GEOBETA_WEBHOOK_URL"] = f"{hook.url}/x"
        done = shifted.nights(START, STOP, workers=2)
        assert done.returncode == 0, done.stdout
        ((_, document),) = hook.posts
        assert document["text"].startswith(f"[geobeta] SYNTHETIC: 1 shift on {day_brief(NIGHTS[-1])}: share of traffic up")
        assert deliveries(shifted) == [("share", "traffic", LAST, "webhook", "sent")]
        texts = {path.parent.name: path.read_text("utf-8") for path in (shifted.data / "digests").glob("*/digest.txt")}
        assert sorted(texts) == [f"date={day}" for day in NIGHTS]
        assert [name for name, text in texts.items() if "No shifts" not in text] == [f"date={LAST}"]
        (page,) = (shifted.data / "reports" / f"date={LAST}").glob("*/index.html")
        assert "traffic in Mexico City: " in page.read_text("utf-8")
        before, rows = tasks_run(shifted), shifted.row_versions()
        assert shifted.nights(START, STOP).returncode == 0
        assert (tasks_run(shifted), shifted.row_versions()) == (before, rows)
        # another prior makes page and digest anew, and tells nobody again
        shifted.studies = shifted.studies.replace("beta = 9.0 }\n\n", "beta = 9.5 }\n\n")
        shifted.write()
        assert shifted.nights(START, STOP).returncode == 0
        assert tasks_run(shifted)["SendDigest"] == 2 * before["SendDigest"]
        assert len(hook.posts) == 1


def test_a_late_day_makes_the_digests_after_it_anew_in_its_own_night(shifted: Installation) -> None:
    """So the nights after it are complete; the shift was told, and is not told again."""
    with receiving() as hook:
        shifted.environ["GEOBETA_WEBHOOK_URL"] = hook.url
        assert shifted.nights(str(NIGHTS[1]), STOP).returncode == 0
        told = len(hook.posts)
        assert shifted.luigi("Nightly", "--date", START).returncode == 0
        before = tasks_run(shifted)
        assert shifted.nights(START, STOP).returncode == 0
        assert tasks_run(shifted) == before
        assert len(hook.posts) == told == 1


def test_a_webhook_that_is_down_fails_no_night(shifted: Installation) -> None:
    """The night ends well and warns; the next one tells it."""
    with receiving() as hook:
        shifted.environ["GEOBETA_WEBHOOK_URL"] = f"{hook.url}/marked-path"
        hook.always = Reply(status=503, body=b"")
        night = shifted.nights(START, STOP)
        assert night.returncode == 0, night.stdout
        assert "alarms were not told by webhook: the webhook answered 503" in night.stdout
        assert "marked-path" not in night.stdout
        assert deliveries(shifted) == [("share", "traffic", LAST, "webhook", "failed")]
        said = shifted.python("pipeline", "alarms", "--since", START).stdout
        assert "webhook: failed" in said
        hook.always = Reply(body=b"ok")
        assert shifted.luigi("Nightly", "--date", STOP).returncode == 0
        assert deliveries(shifted) == [("share", "traffic", LAST, "webhook", "sent")]
