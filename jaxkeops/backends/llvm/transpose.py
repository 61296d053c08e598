"""Turns vectors by shuffles: the lanes of each become one lane of all."""

from __future__ import annotations

from collections.abc import Sequence

from .builder import Builder

QUAD_BYTES = 16  # what one shuffle takes apart on every machine; wider ones move such pieces


def transpose(b: Builder, rows: Sequence[str]) -> list[str]:
    """Vector c has lane c of each of the `b.width` vectors, in order.

    Pieces of 16 bytes are turned by themselves, then the pieces change places: each step is one
    instruction of x86 and of Arm for each vector, where gathering lanes one by one takes ten.
    """
    assert len(rows) == b.width, rows
    inside = min(QUAD_BYTES * 8 // b.bits_per_lane, b.width)
    turned = list(rows)
    size = 1
    while size < inside:
        turned = _exchange(b, turned, size, _interleaved(b.width, inside, size))
        size *= 2
    while size < b.width:
        turned = _exchange(b, turned, size, _dealt(b.width, inside))
        size *= 2
    return [turned[k] for k in _order(b.width, inside)]


def _exchange(
    b: Builder, vectors: Sequence[str], distance: int, lanes: tuple[list[int], list[int]]
) -> list[str]:
    """Vectors `distance` from each other, two by two, replaced by two shuffles of both."""
    result = list(vectors)
    for first in range(len(vectors)):
        if first & distance:
            continue
        pair = vectors[first], vectors[first + distance]
        for place, chosen in zip((first, first + distance), lanes, strict=True):
            result[place] = b.shuffle(*pair, chosen)
    return result


def _interleaved(width: int, inside: int, size: int) -> tuple[list[int], list[int]]:
    """Of each piece the lower halves of both vectors, `size` lanes in turn; and the upper ones."""
    low, high = [], []
    for piece in range(0, width, inside):
        for half, lanes in ((0, low), (inside // 2, high)):
            for start in range(piece + half, piece + half + inside // 2, size):
                lanes += [*range(start, start + size), *range(width + start, width + start + size)]
    return low, high


def _dealt(width: int, inside: int) -> tuple[list[int], list[int]]:
    """The pieces of even number of both vectors, one vector after the other; and the odd ones."""
    even, odd = [], []
    for start in (*range(0, width, inside), *range(width, 2 * width, inside)):
        lanes = odd if start // inside % 2 else even
        lanes += range(start, start + inside)
    return even, odd


def _order(width: int, inside: int) -> list[int]:
    """Where each lane's vector came to stand."""
    places = {}
    for place in range(width):
        # The bits of a place, from the last, say which half each step took: of pieces, from the
        # greatest half to the least; of their numbers, from the least.
        lane, bit, half = 0, 1, inside // 2
        while bit < inside:
            lane += half if place & bit else 0
            bit, half = 2 * bit, half // 2
        piece = 1
        while bit < width:
            lane += inside * piece if place & bit else 0
            bit, piece = 2 * bit, 2 * piece
        places[lane] = place
    return [places[lane] for lane in range(width)]
