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
    layout as layout,
    leaves as leaves,
    norms as norms,
    rounding as rounding,
    selection as selection,
    spline as spline,
)
