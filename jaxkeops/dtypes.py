"""The dtypes of data and results: their sizes, and the tolerance that each allows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DType:
    """`eps` is the distance from 1 to the next number, 0 for integers.

    computes: the dtype of all arithmetic on such data. Arrays of 16 bits are only stored so:
    results are rounded to them once, at the end.
    """

    name: str
    bytes: int
    eps: float
    computes: str


FLOATS = {
    d.name: d
    for d in (
        DType("float16", 2, 2.0**-10, "float32"),
        DType("bfloat16", 2, 2.0**-7, "float32"),
        DType("float32", 4, 2.0**-23, "float32"),
        DType("float64", 8, 2.0**-52, "float64"),
    )
}
INTEGERS = {d.name: d for d in (DType("int32", 4, 0.0, "int32"), DType("int64", 8, 0.0, "int64"))}
DTYPES = FLOATS | INTEGERS
FLOAT_CHOICE = f"{', '.join([*FLOATS][:-1])} or {[*FLOATS][-1]}"  # for messages
