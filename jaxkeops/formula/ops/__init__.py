"""The ops of the language. Importing this package fills the registry `OPS`."""

from . import (
    alignment as alignment,
    arithmetic as arithmetic,
    bessel as bessel,
    complex as complex,
    contraction as contraction,
    extremum as extremum,
    fold as fold,
    functions as functions,
    gather as gather,
    layout as layout,
    leaves as leaves,
    near_zero as near_zero,
    norms as norms,
    prescribed as prescribed,
    rounding as rounding,
    selection as selection,
    spline as spline,
)
