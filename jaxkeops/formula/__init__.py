"""Formulas: how they are written, what they mean, and their derivatives."""

from . import ops as ops, reductions as reductions
from .aliases import declare as declare, read_formulas as read_formulas
from .autodiff import differential as differential, gradient as gradient
from .calculus import (
    Argument as Argument,
    Part as Part,
    Selected as Selected,
    Sweep as Sweep,
    Tangent as Tangent,
    cotangents as cotangents,
    selected as selected,
    tangent as tangent,
    with_rows as with_rows,
)
from .formula import (
    SWAPPED as SWAPPED,
    Formula as Formula,
    formula_of as formula_of,
    make_formula as make_formula,
    swap_axes as swap_axes,
)
from .node import (
    OPS as OPS,
    Call as Call,
    F as F,
    Node as Node,
    Number as Number,
    Op as Op,
    Var as Var,
    as_node as as_node,
    spread as spread,
    topological as topological,
    variables as variables,
    zeros as zeros,
)
from .parse import parse as parse, spelled as spelled
from .parts import (
    finished as finished,
    merged as merged,
    numbered as numbered,
    part_of as part_of,
)
from .reduction import (
    REDUCTIONS as REDUCTIONS,
    Reduction as Reduction,
    Result as Result,
    Shards as Shards,
    reduction_of_words as reduction_of_words,
    whole_count as whole_count,
)
from .short import short_name as short_name
from .slopes import Sloped as Sloped, with_slopes as with_slopes
from .text import read as read, write as write
