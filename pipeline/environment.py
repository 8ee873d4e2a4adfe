"""What the environment holds and no file may: secrets, and the addresses that are secrets themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from pipeline.complaints import Fault

#: Where alarms are sent: variable, field of Settings, schemes, what is wanted.
_CHANNELS: Final = (
    ("GEOBETA_WEBHOOK_URL", "webhook_url", ("https", "http"), "an address that takes a POST, such as https://hooks.example.org/services/…"),
    ("GEOBETA_SMTP_URL", "smtp_url", ("smtp", "smtps"), "smtp://user:password@host:587 (STARTTLS where offered) or smtps://… (TLS)"),
)


def secrets(given: Mapping[str, str], faults: list[Fault]) -> dict[str, Any]:
    """What is set of them, by the fields of Settings; faults are added to the list. Of a faulty secret nothing is shown but its length."""
    found: dict[str, Any] = {}
    if url := given.get("DATABASE_URL"):
        scheme = url.partition("://")[0] if "://" in url else ""
        if re.fullmatch(r"postgres(ql)?(\+psycopg2)?", scheme):
            found["database_url"] = SecretStr(url)
        else:
            got = f"an address that begins with {scheme}://" if re.fullmatch(r"[a-z+0-9]+", scheme) else "something else"
            faults.append(Fault("environment", "DATABASE_URL", got, "postgresql://user:password@host:port/name"))
    if token := given.get("X_BEARER_TOKEN"):
        if re.fullmatch(r"[!-~]+", token):
            found["bearer_token"] = SecretStr(token)
        else:
            wanted = "the bearer token alone: visible ASCII characters without spaces, and without the word Bearer"
            faults.append(Fault("environment", "X_BEARER_TOKEN", f"{len(token)} characters, among them white space or others", wanted))
    if address := given.get("X_BASE_URL"):
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and not parts.username and not parts.query and not parts.fragment:
            found["base_url"] = address.rstrip("/")
        else:
            got = repr(address) if "@" not in address else "an address with a user in it"
            faults.append(Fault("environment", "X_BASE_URL", got, "an address such as https://api.x.com"))
    if key := given.get("GEOBETA_AUTHOR_KEY"):
        if len(key) >= 16:
            found["author_key"] = SecretStr(key)
        else:
            faults.append(
                Fault("environment", "GEOBETA_AUTHOR_KEY", f"{len(key)} characters", "16 or more, hard to guess, and kept for good")
            )
    for variable, field, schemes, wanted in _CHANNELS:
        if address := given.get(variable):
            if _channel(address, schemes):
                found[field] = SecretStr(address)
            else:
                got = f"{len(address)} characters that are no such address"
                faults.append(Fault("environment", variable, got, wanted))
    return found


def _channel(address: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(address)
        # reading the port is what finds a bad one
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", address)
    except ValueError:
        return False
