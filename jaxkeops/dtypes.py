"""The dtypes of data and results: their sizes, and the tolerance that each allows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DType:
    """`eps` is the distance from 1 to the next number, 0 for integers."""

    name: str
    bytes: int
    eps: float


FLOATS = {d.name: d for d in (DType("float32", 4, 2.0**-23), DType("float64", 8, 2.0**-52))}
INTEGERS = {d.name: d for d in (DType("int32", 4, 0.0), DType("int64", 8, 0.0))}
DTYPES = FLOATS | INTEGERS
