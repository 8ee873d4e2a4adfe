"""SipHash-2-4 of whole arrays of numbers: the short keyed names of ids, by the hundred million. One id at a time has keys.hashed.

J.-P. Aumasson, D. J. Bernstein: SipHash: a fast short-input PRF, 2012. A number is hashed as its eight bytes, little-endian.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Numbers hashed at once: fewer cost more in calls, more fall out of the second cache (45 ns each at 16,384, 51 at 8,192, 68 at 4,096).
PIECE: Final = 16_384
_INITIAL: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
#: The last block of a message of eight bytes: nothing but its length.
_LENGTH: Final = np.uint64(8 << 56)
_MASK: Final = (1 << 64) - 1


def names(numbers: NDArray[np.int64], key: bytes) -> NDArray[np.uint64]:
    """SipHash-2-4 of each number.

    Args:
        numbers: any shape; negative ones are their two's complement.
        key: 16 bytes.
    """
    messages = np.ascontiguousarray(numbers, "<i8").view("<u8")
    found = np.empty(messages.shape, np.uint64)
    begun = [np.uint64(word) for word in _begun(key)]
    flat, out = messages.reshape(-1), found.reshape(-1)
    # v0 to v3 and a place to rotate in
    lanes = np.empty((5, min(PIECE, max(len(flat), 1))), np.uint64)
    for start in range(0, len(flat), PIECE):
        piece = flat[start : start + PIECE]
        *state, spare = (lane[: len(piece)] for lane in lanes)
        for lane, word in zip(state, begun, strict=True):
            lane.fill(word)
        state[3] ^= piece
        _rounds(state, spare, 2)
        state[0] ^= piece
        state[3] ^= _LENGTH
        _rounds(state, spare, 2)
        state[0] ^= _LENGTH
        state[2] ^= np.uint64(0xFF)
        _rounds(state, spare, 4)
        state[0] ^= state[1]
        state[2] ^= state[3]
        np.bitwise_xor(state[0], state[2], out[start : start + PIECE])
    return found


def name(number: int, key: bytes) -> int:
    """The same of one number: for a few, in a tenth of the time that an array of one takes."""
    message = number & _MASK
    v0, v1, v2, v3 = _begun(key)
    v3 ^= message
    for step in range(8):
        if step == 2:
            v0 ^= message
            v3 ^= 8 << 56
        elif step == 4:
            v0 ^= 8 << 56
            v2 ^= 0xFF
        v0 = (v0 + v1) & _MASK
        v2 = (v2 + v3) & _MASK
        v1 = (v1 << 13 & _MASK | v1 >> 51) ^ v0
        v3 = (v3 << 16 & _MASK | v3 >> 48) ^ v2
        v0 = v0 << 32 & _MASK | v0 >> 32
        v2 = (v2 + v1) & _MASK
        v0 = (v0 + v3) & _MASK
        v1 = (v1 << 17 & _MASK | v1 >> 47) ^ v2
        v3 = (v3 << 21 & _MASK | v3 >> 43) ^ v0
        v2 = v2 << 32 & _MASK | v2 >> 32
    return v0 ^ v1 ^ v2 ^ v3


def _begun(key: bytes) -> list[int]:
    """v0 to v3 before the first message word."""
    if len(key) != 16:
        raise ValueError(f"got a key of {len(key)} bytes, wanted 16")
    halves = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    return [word ^ halves[place % 2] for place, word in enumerate(_INITIAL)]


def _rounds(state: list[NDArray[np.uint64]], spare: NDArray[np.uint64], number: int) -> None:
    v0, v1, v2, v3 = state
    for _ in range(number):
        v0 += v1
        v2 += v3
        _rotate(v1, 13, spare)
        _rotate(v3, 16, spare)
        v1 ^= v0
        v3 ^= v2
        _rotate(v0, 32, spare)
        v2 += v1
        v0 += v3
        _rotate(v1, 17, spare)
        _rotate(v3, 21, spare)
        v1 ^= v2
        v3 ^= v0
        _rotate(v2, 32, spare)


def _rotate(lane: NDArray[np.uint64], bits: int, spare: NDArray[np.uint64]) -> None:
    np.right_shift(lane, np.uint64(64 - bits), out=spare)
    np.left_shift(lane, np.uint64(bits), out=lane)
    np.bitwise_or(lane, spare, out=lane)
