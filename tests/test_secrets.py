"""Secrets stay where they belong: a marked token at debug level is in no log, on no terminal and in no file."""

from __future__ import annotations

import http.client
import logging
import logging.config
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipeline import extract, sending
from pipeline.errors import PipelineError
from pipeline.settings import Settings
from pipeline.sources.x_api import hush
from tests.mailboxes import mailbox
from tests.servers import Reply, receiving, scripted

TOKEN = "MARKED-TOKEN-0123456789abcdef"
DAY, NOW = date(2026, 11, 10), datetime(2026, 11, 12, 9, tzinfo=UTC)


def files_with(folder: Path, secret: bytes) -> list[Path]:
    """The files below the folder whose bytes hold the secret."""
    return [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.fixture
def debugging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything logged at DEBUG into a file, tweepy's own loggers set to DEBUG by name, http.client printing all headers."""
    path = tmp_path / "logs" / "everything.log"
    path.parent.mkdir()
    handler = logging.FileHandler(path)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in ("tweepy", "tweepy.client", "urllib3", "requests"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    yield path
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


@pytest.mark.parametrize("status", [200, 401, 429, 503])
def test_a_token_is_in_no_log_and_no_file(
    debugging: Path, make_settings: Callable[..., Settings], capfd: pytest.CaptureFixture[str], tmp_path: Path, status: int
) -> None:
    """A whole day, and a day that is refused, with every logger at DEBUG: the token reached the server and nothing else."""
    with scripted(posts=25) as api:
        if status != 200:
            api.script = dict.fromkeys(range(2, 9), Reply(status=status, document={"title": "no"}))
        settings = make_settings(
            database=False,
            settings="[x]\npage_size = 10\nattempts = 2\nlongest_wait_seconds = 0.1\n",
            X_BEARER_TOKEN=TOKEN,
            X_BASE_URL=api.url,
        )
        said = ""
        try:
            extract.run(settings, "mexico-city", DAY, now=NOW)
        except PipelineError as error:
            said = f"{error}{error!r}"
            logging.getLogger("somebody").exception("the day failed")
        assert all(seen.headers["authorization"] == f"Bearer {TOKEN}" for seen in api.seen)
    assert (status == 200) == (said == "")
    logging.getLogger().debug("the log is really at debug level")
    assert "really at debug level" in debugging.read_text()
    assert "urllib3" in debugging.read_text() or "GET /2/tweets" in debugging.read_text()
    out, err = capfd.readouterr()
    assert TOKEN not in out + err + said + repr(settings)
    assert files_with(tmp_path, TOKEN.encode()) == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
@pytest.mark.parametrize("well", [True, False], ids=["told", "refused"])
def test_where_alarms_go_is_in_no_log_and_no_file(
    debugging: Path, make_settings: Callable[..., Settings], capfd: pytest.CaptureFixture[str], tmp_path: Path, well: bool
) -> None:
    """A webhook's address and a mail server's password, with every logger at DEBUG, whether they are taken or refused."""
    message = sending.Message(key="k", subject="one shift", text="it moved", body="it moved\n")
    with receiving() as hook, mailbox(login=True) as box:
        if not well:
            hook.always, box.refuse = Reply(status=403, body=TOKEN.encode()), {"DATA": f"554 we know {TOKEN}"}
        settings = make_settings(
            database=False,
            settings='[alarms]\nmail_to = ["team@example.org"]\n',
            GEOBETA_WEBHOOK_URL=f"{hook.url}/{TOKEN}",
            GEOBETA_SMTP_URL=f"smtp://me:{TOKEN}@127.0.0.1:{box.port}",
        )
        said = ""
        # aiosmtpd tells its own log what it hears
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        for channel in ("webhook", "mail"):
            try:
                said += sending.send(settings, channel, message)
            except PipelineError as error:
                said += f"{error}{error!r}"
                logging.getLogger("somebody").exception("the channel failed")
        assert ([seen.path for seen, _ in hook.posts], box.logins) == ([f"/{TOKEN}"], [("me", TOKEN)])
    assert ("refused" in said or "403" in said) != well
    out, err = capfd.readouterr()
    assert TOKEN not in out + err + said + repr(settings)
    assert files_with(tmp_path, TOKEN.encode()) == []


def test_a_logging_configuration_that_comes_later_brings_the_token_not_back(
    debugging: Path, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """dictConfig that sets tweepy to DEBUG by name, after a client was made."""
    with scripted() as api:
        settings = make_settings(database=False, X_BEARER_TOKEN=TOKEN, X_BASE_URL=api.url)
        extract.run(settings, "mexico-city", DAY, now=NOW)
        loggers = {name: {"level": "DEBUG"} for name in ("tweepy", "tweepy.client")}
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "incremental": True, "loggers": loggers})
        extract.run(settings, "mexico-city", date(2026, 11, 9), now=NOW)
        assert [seen.path.partition("tweets/")[2] for seen in api.seen] == ["counts/recent", "search/recent"] * 2
    assert files_with(tmp_path, TOKEN.encode()) == []


def test_what_tweepy_says_at_debug_is_dropped_whatever_its_level(debugging: Path) -> None:
    """The level alone could be set back between two requests: a filter holds. Warnings pass."""
    hush()
    logger = logging.getLogger("tweepy.client")
    logger.setLevel(logging.DEBUG)
    logger.debug("Authorization: Bearer %s", TOKEN)
    logger.warning("something is odd")
    assert "something is odd" in debugging.read_text()
    assert TOKEN not in debugging.read_text()
