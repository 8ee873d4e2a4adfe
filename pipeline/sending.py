"""How a message leaves: a POST to a webhook, an e-mail by SMTP. What it says and whether it was told before is digest/'s affair.

Both addresses are secrets, and neither they nor what a library says of them (which quotes them) is in any error or log.
"""

from __future__ import annotations

import contextlib
import http
import ipaddress
import logging
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import requests
import tenacity
from requests.utils import get_auth_from_url

from pipeline import ledger
from pipeline.errors import PipelineError, RateLimited, SettingsError, SourceRefused, SourceUnavailable, TransientError
from pipeline.settings import Settings
from pipeline.sources.x_adapter import Adapter

#: Seconds before the second and the third try: whoever is away for longer is told by the next night.
PAUSES: Final = (0.5, 2.0)
#: Ports where the address has none: submission with a login, the relay's own without.
_PORTS: Final = {("smtps", True): 465, ("smtps", False): 465, ("smtp", True): 587, ("smtp", False): 25}


@dataclass(frozen=True)
class Message:
    """One thing to tell.

    Attributes:
        key: the same for the same alarms: a receiver that has seen it knows that this is a repetition.
        subject: one line.
        text: short, for a chat.
        body: whole, for a mail.
        alarms: the same for programs.
    """

    key: str
    subject: str
    text: str
    body: str
    alarms: Sequence[dict[str, Any]] = field(default=())


def channels(settings: Settings) -> list[str]:
    """The channels that are wholly set: "webhook", "mail"."""
    found = ["webhook"] if settings.webhook_url is not None else []
    return [*found, "mail"] if settings.smtp_url is not None and settings.alarms.mail_to else found


def send(settings: Settings, channel: str, message: Message) -> str:
    """Send it, trying again for a few seconds where that can help; give what the other side said.

    Raises:
        TransientError: nobody answered, or not now. SourceRefused: it was refused. SettingsError: the channel is not set.
    """
    if channel not in channels(settings):
        raise SettingsError(f"the channel {channel} is not set", todo="docs/alarms.md says what it needs")
    try:
        return str(_trying(lambda: {"webhook": _webhook, "mail": _mail}[channel](settings, message)))
    except PipelineError as error:
        # what a server says may quote what it was sent
        error.what = ledger.without_secrets(settings, error.what)
        error.args = (error.what,)
        raise


class _Slow(SourceUnavailable):
    """It took longer than [alarms] timeout_seconds: to wait as long once more is the next night's."""


def _trying(attempt: Callable[[], str]) -> str:
    pauses = tenacity.wait_chain(*(tenacity.wait_fixed(pause) for pause in PAUSES))
    again = tenacity.retry_if_exception(lambda error: isinstance(error, TransientError) and not isinstance(error, _Slow))
    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(len(PAUSES) + 1), wait=pauses, retry=again, reraise=True)
    return str(retrying(attempt))


# --- webhook -----------------------------------------------------------------------------------------------------------------


def _webhook(settings: Settings, message: Message) -> str:
    assert settings.webhook_url is not None
    timeout = settings.alarms.timeout_seconds
    with requests.Session() as session, _unlogged():
        adapter = Adapter(None, timeout=timeout, longest=timeout, on_request=lambda: None)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        address = settings.webhook_url.get_secret_value()
        # without user and password an authorisation that adds nothing: else an entry for the host in ~/.netrc would be sent along
        session.auth = get_auth_from_url(address) if urlsplit(address).username else lambda request: request
        try:
            answer = session.post(
                address,
                json={"text": message.text, "alarms": list(message.alarms)},
                headers={"Idempotency-Key": message.key, "User-Agent": "geobeta"},
                timeout=timeout,
                # a redirect would carry the message to a host that nobody has named
                allow_redirects=False,
            )
        except requests.Timeout:
            raise _Slow(f"the webhook did not answer within {timeout:g} s", todo="see its host; it may have arrived") from None
        except (requests.RequestException, OSError, ValueError) as error:
            raise _unreachable(error) from None
    return _answered(answer.status_code)


def _unreachable(error: Exception) -> PipelineError:
    # the words of requests hold the address
    if isinstance(error, requests.exceptions.SSLError):
        what = "the webhook's certificate is not one that this machine trusts, or it does not speak TLS"
        return SourceRefused(what, todo="see GEOBETA_WEBHOOK_URL; behind a proxy that opens TLS, set REQUESTS_CA_BUNDLE")
    if isinstance(error, requests.exceptions.InvalidURL | ValueError) and not isinstance(error, requests.ConnectionError):
        return SourceRefused("the webhook's address is none that can be asked", todo="mend GEOBETA_WEBHOOK_URL")
    return SourceUnavailable(f"the webhook cannot be reached, or broke off ({type(error).__name__})", todo="see its host and the network")


def _answered(status: int) -> str:
    said = f"the webhook answered {status}"
    with contextlib.suppress(ValueError):
        said += f" {http.HTTPStatus(status).phrase}"
    if 200 <= status < 300:
        return said
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimited(said, todo="nothing: the next night tries again")
    if status >= 500:
        raise SourceUnavailable(said, todo="see its host; the next night tries again")
    redirected = "it points to another address: put that into GEOBETA_WEBHOOK_URL"
    raise SourceRefused(said, todo=redirected if 300 <= status < 400 else "see GEOBETA_WEBHOOK_URL, and what its host wants")


class _NotHere(logging.Filter):
    """Drops the debug records of one thread: urllib3's name the address."""

    def __init__(self, thread: int) -> None:
        super().__init__()
        self.thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG or record.thread != self.thread


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("urllib3.connectionpool", "urllib3.util.retry")]
    drop = _NotHere(threading.get_ident())
    for logger in loggers:
        logger.addFilter(drop)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(drop)


# --- mail --------------------------------------------------------------------------------------------------------------------


def _mail(settings: Settings, message: Message) -> str:
    assert settings.smtp_url is not None
    address = urlsplit(settings.smtp_url.get_secret_value())
    try:
        with _connected(address, settings.alarms.timeout_seconds) as server:
            how = _secured(server, address)
            if address.username:
                server.login(unquote(address.username), unquote(address.password or ""))
            refused = server.send_message(_letter(settings, message))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # smtplib makes a lost connection of a late answer
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            what = f"the mail server did not answer within {settings.alarms.timeout_seconds:g} s"
            raise _Slow(what, todo="see its host; it may have arrived") from None
        raise _undelivered(error) from None
    taken = len(settings.alarms.mail_to) - len(refused)
    if refused:
        codes = ", ".join(sorted({str(code) for code, _ in refused.values()}))
        return f"the mail server took it for {taken} of {len(settings.alarms.mail_to)} addresses; it refused the others ({codes})"
    return f"the mail server took it for {taken} address{'' if taken == 1 else 'es'} ({how})"


@contextlib.contextmanager
def _connected(address: SplitResult, timeout: float) -> Iterator[smtplib.SMTP]:
    host = address.hostname or ""
    port = address.port or _PORTS[address.scheme, bool(address.username)]
    if address.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, port, timeout=timeout)
    try:
        yield server
    finally:
        # by now it is taken or refused, and how the server says good-bye changes neither
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _secured(server: smtplib.SMTP, address: SplitResult) -> str:
    """Encrypt the line where it is not and can be; say how it is."""
    server.ehlo()
    if address.scheme == "smtps":
        return "TLS"
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
        return "STARTTLS"
    if address.username and not _is_local(address.hostname or ""):
        raise SourceRefused(
            "the mail server offers no encryption (STARTTLS), and the password would go in the clear: nothing was sent",
            todo="use smtps:// in GEOBETA_SMTP_URL, or a server that offers STARTTLS",
        )
    return "not encrypted"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _letter(settings: Settings, message: Message) -> EmailMessage:
    letter = EmailMessage()
    sender = settings.alarms.mail_from or settings.alarms.mail_to[0]
    letter["From"], letter["To"], letter["Subject"] = sender, ", ".join(settings.alarms.mail_to), message.subject
    letter["Date"] = format_datetime(localtime())
    # the same for the same alarms, so that a mailbox knows a repetition; and nobody's holiday notice answers
    letter["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.body, cte="quoted-printable")
    return letter


def _undelivered(error: Exception) -> PipelineError:
    see = "see GEOBETA_SMTP_URL and [alarms] mail_to, mail_from"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return SourceRefused(f"the mail server refused the login ({error.smtp_code})", todo="see user and password in GEOBETA_SMTP_URL")
    if isinstance(error, ssl.SSLError):
        return SourceRefused("the mail server's certificate is not one that this machine trusts, or it does not speak TLS", todo=see)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        kind = SourceRefused if any(code >= 500 for code in codes) else SourceUnavailable
        return kind(f"the mail server refused every address ({', '.join(sorted({str(code) for code in codes}))})", todo=see)
    if isinstance(error, smtplib.SMTPResponseException):
        kind = SourceRefused if error.smtp_code >= 500 else SourceUnavailable
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)
        return kind(f"the mail server said {error.smtp_code} {' '.join(said.split())[:200]}", todo=see)
    if isinstance(error, smtplib.SMTPServerDisconnected | OSError) and not isinstance(error, smtplib.SMTPNotSupportedError):
        return SourceUnavailable(f"the mail server cannot be reached, or broke off ({type(error).__name__})", todo=see)
    # no login offered, a name that is no ASCII
    return SourceRefused(f"the mail cannot be sent ({type(error).__name__})", todo=see)
