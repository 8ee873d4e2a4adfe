"""The key under which ids are hashed, and the hash: authors' ids in what is published, tweets' ids where only a tombstone may stay."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pipeline.errors import SettingsError
from pipeline.settings import Settings

#: Bytes of a block of SHA-256.
_BLOCK: Final = 64


def author_key(settings: Settings) -> bytes:
    """The key that author ids are hashed with: GEOBETA_AUTHOR_KEY, else the file author.key in the data folder, made once (0600).

    Raises:
        SettingsError: the file is empty.
    """
    if settings.author_key is not None:
        return settings.author_key.get_secret_value().encode()
    path = settings.data / "author.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f".author.key-{os.getpid()}-{secrets.token_hex(4)}")
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_hex(32).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        # a link is made once: of two processes the slower one takes the faster one's key
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    key = path.read_bytes().strip()
    if not key:
        raise SettingsError(f"got the empty file {path}, wanted a key", todo="remove it; a new one is made, and all days are cleaned again")
    return key


def hashed(key: bytes, text: str) -> str:
    """The first 32 hexadecimal digits of HMAC-SHA256."""
    return hmac.digest(key, text.encode(), "sha256").hex()[:32]


def hasher(key: bytes) -> Callable[[str], str]:
    """`hashed` under one key, for many texts: half the time, since what HMAC (RFC 2104) makes of the key alone is made once."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))

    def of(text: str) -> str:
        inside, around = inner.copy(), outer.copy()
        inside.update(text.encode())
        around.update(inside.digest())
        return around.hexdigest()[:32]

    return of


@dataclass(frozen=True)
class Keys:
    """What ids are hashed with: the key itself where a hash stands for good, keys made of it for the short names."""

    key: bytes

    @cached_property
    def tweets(self) -> bytes:
        """Of tweets' short names."""
        return hmac.digest(self.key, b"short names of tweets", "sha256")[:16]

    @cached_property
    def authors(self) -> bytes:
        """Of authors' short names, who have numbers of the same kind."""
        return hmac.digest(self.key, b"short names of authors", "sha256")[:16]

    @cached_property
    def fingerprint(self) -> str:
        """Tells keys apart, and tells nothing of them."""
        return hashed(self.key, "the key of tombstones")[:8]

    def tweet(self, tweet_id: int) -> str:
        """What stands for the tweet's id on a tombstone."""
        # apart from authors
        return hashed(self.key, f"tweet {tweet_id}")
