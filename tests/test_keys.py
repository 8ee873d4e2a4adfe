"""Hashes of ids: what stands in published tables must be the same whichever way it is made."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from pipeline import keys


@pytest.mark.parametrize("size", [1, 16, 63, 64, 65, 200], ids=str)
def test_many_hashes_under_one_key_are_hmac_s(size: int) -> None:
    key = bytes(range(size))
    of = keys.hasher(key)
    for text in ("", "7", "1234567890123456789", "ñ" * 100):
        wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
        assert of(text) == keys.hashed(key, text) == wanted
