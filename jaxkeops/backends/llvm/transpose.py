"""Turns pieces of rows by shuffles: the numbers of a row become one lane each of several vectors.

A piece is 16 bytes, what one shuffle takes apart on every machine. A gather takes longer than a
load for each of its lanes; here are two or three instructions for each piece.
"""

from __future__ import annotations

from collections.abc import Sequence

from .builder import Builder
from .spelling import vector

PIECE_BYTES = 16


def piece_lanes(b: Builder) -> int:
    """How many numbers of a row are turned at once."""
    return min(PIECE_BYTES * 8 // b.bits_per_lane, b.width)


def to_lanes(b: Builder, pieces: Sequence[str]) -> list[str]:
    """Vector k has number k of each of `b.width` pieces, in order."""
    count = piece_lanes(b)
    joined = [_join(b, pieces[first::count], count) for first in range(count)]
    return _turned(b, joined)


def from_lanes(b: Builder, vectors: Sequence[str]) -> list[str]:
    """The pieces, one for each lane, of which vector k has number k."""
    count = piece_lanes(b)
    turned = _turned(b, vectors)
    return [_part(b, turned[lane % count], lane // count * count, count) for lane in range(b.width)]


def _turned(b: Builder, vectors: Sequence[str]) -> list[str]:
    """Within each piece, number k of vector n becomes number n of vector k."""
    result, count, size = list(vectors), len(vectors), 1
    while size < count:
        low, high = _interleaved(b.width, count, size)
        for first in range(count):
            if not first & size:
                pair = result[first], result[first + size]
                result[first], result[first + size] = b.shuffle(*pair, low), b.shuffle(*pair, high)
        size *= 2
    # The steps take halves of pieces by the bits of a number, the last bit first.
    bits = count.bit_length() - 1
    return [result[int(f"{k:0{bits}b}"[::-1], 2)] for k in range(count)] if bits else result


def _interleaved(width: int, count: int, size: int) -> tuple[list[int], list[int]]:
    """Of each piece the lower halves of two vectors, `size` lanes in turn; and the upper halves."""
    low, high = [], []
    for piece in range(0, width, count):
        for half, lanes in ((0, low), (count // 2, high)):
            for start in range(piece + half, piece + half + count // 2, size):
                lanes += [*range(start, start + size), *range(width + start, width + start + size)]
    return low, high


def _join(b: Builder, pieces: Sequence[str], lanes: int) -> str:
    """The pieces side by side in one vector."""
    parts = list(pieces)
    while len(parts) > 1:
        type, both = vector(b.element, lanes), range(2 * lanes)
        parts = [b.shuffle(*parts[k : k + 2], both, type) for k in range(0, len(parts), 2)]
        lanes *= 2
    return parts[0]


def _part(b: Builder, whole: str, start: int, lanes: int) -> str:
    if lanes == b.width:
        return whole
    return b.shuffle(whole, "poison", range(start, start + lanes))
