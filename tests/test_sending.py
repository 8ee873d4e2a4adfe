"""The two channels, against a real HTTP receiver and a real SMTP server: what arrives, what is tried again, what is never sent."""

from __future__ import annotations

import logging
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import ledger, sending
from pipeline.errors import RateLimited, SettingsError, SourceRefused, SourceUnavailable
from pipeline.sending import Message
from pipeline.settings import Settings
from tests.mailboxes import certified, mailbox
from tests.servers import Reply, receiving

Make = Callable[..., Settings]

#: aiosmtpd's warning of what a test wants of it.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
ALARM = {"kind": "share", "subject": "traffic", "day": "2026-11-15", "observed": 0.081}
MESSAGE = Message(key="0123456789abcdef", subject="[geobeta] 1 shift", text="traffic: 8.1 %", body="traffic: 8.1 % – más\n", alarms=[ALARM])
TO = '[alarms]\nmail_to = ["team@example.org", "two@example.org"]\ntimeout_seconds = 2.0\n'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(sending, "PAUSES", (0.0, 0.0))


def hooked(make_settings: Make, url: str, settings: str = "[alarms]\ntimeout_seconds = 0.5\n") -> Settings:
    return make_settings(database=False, settings=settings, GEOBETA_WEBHOOK_URL=url)


def posted(make_settings: Make, url: str, settings: str = TO) -> Settings:
    return make_settings(database=False, settings=settings, GEOBETA_SMTP_URL=url)


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_webhook_gets_text_and_alarms(make_settings: Make) -> None:
    """One POST of JSON as chats take it; a key by which a repetition is known."""
    with receiving() as hook:
        assert sending.send(hooked(make_settings, f"{hook.url}/services/x?y=z"), "webhook", MESSAGE) == "the webhook answered 200 OK"
    ((seen, document),) = hook.posts
    assert (seen.path, seen.headers["content-type"]) == ("/services/x?y=z", "application/json")
    assert seen.headers["idempotency-key"] == MESSAGE.key
    assert document == {"text": "traffic: 8.1 %", "alarms": [ALARM]}


@pytest.mark.parametrize(("login", "sent"), [("me:p%40ss@", "Basic bWU6cEBzcw=="), ("", None)], ids=["with", "without"])
def test_a_webhook_is_given_the_login_of_its_address_alone(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, sent: str | None
) -> None:
    """User and password of the address, and never what ~/.netrc knows of the host."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with receiving() as hook:
        sending.send(hooked(make_settings, hook.url.replace("//", f"//{login}")), "webhook", MESSAGE)
    assert hook.posts[0][0].headers.get("authorization") == sent


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_pass_is_tried_again(make_settings: Make, status: int) -> None:
    """Three times, under one key; then it has failed for now."""
    with receiving() as hook:
        hook.script = {1: Reply(status=status, body=b""), 2: Reply(status=503, body=b"")}
        assert "200" in sending.send(hooked(make_settings, hook.url), "webhook", MESSAGE)
        assert [seen.headers["idempotency-key"] for seen, _ in hook.posts] == [MESSAGE.key] * 3
        hook.always = Reply(status=status, body=b"")
        with pytest.raises(RateLimited if status == 429 else SourceUnavailable, match=f"answered {status}"):
            sending.send(hooked(make_settings, hook.url), "webhook", MESSAGE)
        assert len(hook.posts) == 6


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410])
def test_what_is_refused_is_not_tried_again(make_settings: Make, status: int) -> None:
    """Nor is a redirect followed: it would carry the message to a host that nobody named."""
    with receiving() as hook, receiving() as elsewhere:
        hook.always = Reply(status=status, body=b"", headers={"location": elsewhere.url})
        with pytest.raises(SourceRefused, match=f"answered {status}"):
            sending.send(hooked(make_settings, hook.url), "webhook", MESSAGE)
        assert (len(hook.posts), len(elsewhere.posts)) == (1, 0)


def test_a_webhook_that_is_silent_is_waited_for_once(make_settings: Make) -> None:
    """As long as the settings say; whether it arrived nobody knows."""
    with receiving() as hook:
        hook.always = Reply(hang=2.0, body=b"ok")
        with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.5 s") as caught:
            sending.send(hooked(make_settings, hook.url), "webhook", MESSAGE)
        assert "may have arrived" in caught.value.todo
        assert len(hook.posts) == 1


def test_a_webhook_that_is_away(make_settings: Make) -> None:
    """Nobody listens there: unavailable, in words that do not name it."""
    port = closed_port()
    with pytest.raises(SourceUnavailable, match="cannot be reached") as caught:
        sending.send(hooked(make_settings, f"http://127.0.0.1:{port}/secret-path"), "webhook", MESSAGE)
    assert "secret-path" not in repr(caught.value) + str(caught.value)
    assert str(port) not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_mail_is_whole(make_settings: Make) -> None:
    """From, to all, subject, text beyond ASCII; a Message-ID that is the same for the same alarms; no holiday notice wanted."""
    with mailbox() as box:
        said = sending.send(posted(make_settings, f"smtp://127.0.0.1:{box.port}"), "mail", MESSAGE)
    assert said == "the mail server took it for 2 addresses (not encrypted)"
    (letter,) = box.letters
    assert box.recipients == [["team@example.org", "two@example.org"]]
    assert (letter["from"], letter["to"]) == ("team@example.org", "team@example.org, two@example.org")
    assert (letter["subject"], letter["message-id"]) == (MESSAGE.subject, "<0123456789abcdef@example.org>")
    assert letter["auto-submitted"] == "auto-generated"
    assert letter["date"] is not None
    assert letter.get_content().replace("\r\n", "\n") == MESSAGE.body


def test_a_sender_may_be_named(make_settings: Make) -> None:
    """Then the Message-ID is of that house."""
    with mailbox() as box:
        settings = posted(make_settings, f"smtp://127.0.0.1:{box.port}", TO + 'mail_from = "geobeta@example.net"\n')
        sending.send(settings, "mail", MESSAGE)
    assert box.letters[0]["from"] == "geobeta@example.net"
    assert box.letters[0]["message-id"].endswith("@example.net>")


def test_a_password_goes_in_the_clear_to_this_machine_alone(make_settings: Make) -> None:
    """To any other host it is refused before a letter of it is sent. (127.1 is this machine too, but not by a name that we trust.)"""
    with mailbox(login=True) as box:
        sending.send(posted(make_settings, f"smtp://me:p%40ss%2Fword@127.0.0.1:{box.port}"), "mail", MESSAGE)
        assert box.logins == [("me", "p@ss/word")]
        with pytest.raises(SourceRefused, match="password would go in the clear: nothing was sent") as caught:
            sending.send(posted(make_settings, f"smtp://me:p%40ss%2Fword@127.1:{box.port}"), "mail", MESSAGE)
        assert "smtps://" in caught.value.todo
        assert len(box.logins) == len(box.letters) == 1


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


@needs_openssl
@pytest.mark.parametrize(("scheme", "how"), [("smtp", "STARTTLS"), ("smtps", "TLS")])
def test_the_line_is_encrypted_where_it_can_be(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, how: str
) -> None:
    """By STARTTLS where that is offered, or from the first byte; a certificate that nobody vouches for is refused."""
    context, certificate = certified(tmp_path)
    with mailbox(tls=context, at_once=scheme == "smtps", login=True) as box:
        settings = posted(make_settings, f"{scheme}://me:secret@localhost:{box.port}")
        with pytest.raises(SourceRefused, match="certificate"):
            sending.send(settings, "mail", MESSAGE)
        assert box.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert sending.send(settings, "mail", MESSAGE).endswith(f"({how})")
        assert box.encrypted == [True]
        assert box.logins == [("me", "secret")]


def test_what_a_mail_server_says_is_told(make_settings: Make) -> None:
    """Its code and words; some addresses refused is no failure; for now is tried again, for good is not."""
    with mailbox() as box:
        settings = posted(make_settings, f"smtp://127.0.0.1:{box.port}")
        box.refuse = {"RCPT two@example.org": "550 no such user"}
        assert sending.send(settings, "mail", MESSAGE) == "the mail server took it for 1 of 2 addresses; it refused the others (550)"
        box.refuse = {"DATA": "554 looks like an advertisement"}
        with pytest.raises(SourceRefused, match="said 554 looks like an advertisement"):
            sending.send(settings, "mail", MESSAGE)
        box.refuse = {"RCPT": "451 come back later"}
        with pytest.raises(SourceUnavailable, match=r"refused every address \(451\)"):
            sending.send(settings, "mail", MESSAGE)
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        sending.send(settings, "mail", MESSAGE)


def test_a_mail_that_was_taken_is_sent_however_the_server_says_good_bye(make_settings: Make) -> None:
    """One that closes with another code than 221 has taken it all the same: it is not sent again."""
    with mailbox() as box:
        box.refuse["QUIT"] = "421 closing"
        assert sending.send(posted(make_settings, f"smtp://127.0.0.1:{box.port}"), "mail", MESSAGE).startswith("the mail server took it")
    assert len(box.letters) == 1


def test_a_wrong_password_is_told_without_it(make_settings: Make) -> None:
    """By its code."""
    with mailbox(login=True) as box:
        settings = posted(make_settings, f"smtp://me:wrong@127.0.0.1:{box.port}")
        with pytest.raises(SourceRefused, match=r"refused the login \(535\)") as caught:
            sending.send(settings, "mail", MESSAGE)
        assert "wrong" not in f"{caught.value}{caught.value!r}"


def test_a_server_that_repeats_a_secret_does_not_get_it_into_an_error(make_settings: Make) -> None:
    """What it says is kept, without the password."""
    with mailbox(login=True) as box:
        box.refuse = {"DATA": "554 your password hunter2-hunter2 is known to all"}
        settings = posted(make_settings, f"smtp://me:hunter2-hunter2@127.0.0.1:{box.port}")
        with pytest.raises(SourceRefused) as caught:
            sending.send(settings, "mail", MESSAGE)
        assert "hunter2" not in f"{caught.value}{caught.value!r}{caught.value.args}"
        assert "is known to all" in str(caught.value)


def test_an_address_is_blotted_out_part_by_part(make_settings: Make) -> None:
    """A password as written and as meant, a webhook's path and query."""
    settings = make_settings(
        database=False,
        GEOBETA_SMTP_URL="smtp://me:p%40ssword@mail.example.org",
        GEOBETA_WEBHOOK_URL="https://me:hook%40word@hooks.example.org/T0/B1/abc?k=123456",
    )
    for text in (
        "p%40ssword",
        "p@ssword",
        "hook%40word",
        "hook@word",
        "/T0/B1/abc",
        "k=123456",
        "https://me:hook%40word@hooks.example.org/T0/B1/abc?k=123456",
    ):
        assert text not in ledger.without_secrets(settings, f"it said {text}!")


def test_a_mail_server_that_is_silent_is_waited_for_once(make_settings: Make) -> None:
    """A line that is taken and not answered."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = posted(make_settings, f"smtp://127.0.0.1:{mute.getsockname()[1]}", TO.replace("2.0", "0.3"))
        with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.3 s"):
            sending.send(settings, "mail", MESSAGE)


def test_a_channel_is_set_whole_or_not_at_all(make_settings: Make) -> None:
    """A server without an addressee is none, and what is not set is not sent by."""
    assert sending.channels(make_settings(database=False, settings=TO)) == []
    alone = make_settings(database=False, GEOBETA_SMTP_URL="smtp://mail.example.org")
    assert sending.channels(alone) == []
    both = make_settings(
        database=False, settings=TO, GEOBETA_SMTP_URL="smtp://mail.example.org", GEOBETA_WEBHOOK_URL="https://hooks.example.org/x"
    )
    assert sending.channels(both) == ["webhook", "mail"]
    with pytest.raises(SettingsError, match="mail is not set"):
        sending.send(alone, "mail", MESSAGE)


def test_only_what_is_sent_is_kept_out_of_logs(make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a webhook is asked nothing of it is logged, whatever the level; afterwards urllib3 says what it likes again."""
    logger = logging.getLogger("urllib3.connectionpool")
    handler = logging.FileHandler(tmp_path / "log")
    for name, value in (("level", logging.DEBUG), ("disabled", False), ("handlers", [handler]), ("_cache", {})):
        monkeypatch.setattr(logger, name, value)
    logger.debug("before")
    with receiving() as hook:
        sending.send(hooked(make_settings, f"{hook.url}/services/marked"), "webhook", MESSAGE)
    logger.debug("after all")
    handler.close()
    assert (tmp_path / "log").read_text().split("\n") == ["before", "after all", ""]
