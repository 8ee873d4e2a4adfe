"""A real SMTP server (aiosmtpd) that keeps what it is given: with or without a login, in the clear, by STARTTLS, or by TLS alone."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Mailbox:
    """What came, and how to answer: `refuse` maps a command (RCPT, DATA, QUIT) to the line that it is answered with."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.logins: list[tuple[str, str]] = []
        self.refuse: dict[str, str] = {}
        self.port = 0

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        for told in (f"RCPT {address}", "RCPT"):
            if told in self.refuse:
                return self.refuse[told]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        self.letters.append(cast(EmailMessage, message_from_bytes(envelope.content, policy=policy.default)))
        self.recipients.append(envelope.rcpt_tos)
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 taken"

    async def handle_QUIT(self, server: SMTP, session: Any, envelope: Any) -> str:
        return self.refuse.get("QUIT", "221 Bye")

    def login(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        # not handled: then the server itself answers 535
        return AuthResult(success=data.password != b"wrong", handled=False)


@contextlib.contextmanager
def mailbox(*, tls: ssl.SSLContext | None = None, at_once: bool = False, login: bool = False) -> Iterator[Mailbox]:
    """A running server on a free port of this machine.

    Args:
        tls: with it STARTTLS is offered; with `at_once` the line is encrypted from its first byte.
        login: a login is offered, in the clear too, and wanted.
    """
    found = Mailbox()
    settings: dict[str, Any] = {"authenticator": found.login, "auth_require_tls": False, "auth_required": True} if login else {}
    if tls is not None and not at_once:
        settings["tls_context"] = tls
    # not aiosmtpd's own Controller: it cannot ask the system for a free port
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncio.Server:
        make = partial(SMTP, found, hostname="mail.example.org", **settings)
        return await loop.create_server(make, "127.0.0.1", 0, ssl=tls if at_once else None)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        found.port = server.sockets[0].getsockname()[1]
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """(a server's TLS context for localhost, the file of the certificate that a client has to trust), made by openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
