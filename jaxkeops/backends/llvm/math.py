"""How each scalar instruction is spelled in LLVM: the table that the emitter walks.

Every function is lane-wise, free of calls, right at the special values, and gives the same bits at
every width.  sin and cos branch where a lane is large, the others never.  Errors are measured in
docs/design/vector-math.md.
"""

from collections.abc import Callable

from .builder import Builder
from .math_arc import acos, asin, atan, atan2
from .math_exp import exp, exp2
from .math_log import log
from .math_pow import pow
from .math_round import round_away, rsqrt, select_eq, select_le, select_lt
from .math_tanh import tanh
from .math_trig import cos, sin

SPELLING: dict[str, Callable[..., str]] = {
    "add": Builder.add,
    "sub": Builder.sub,
    "mul": Builder.mul,
    "div": Builder.div,
    "fma": Builder.fma,
    "neg": Builder.neg,
    "abs": Builder.abs,
    "sqrt": Builder.sqrt,
    "rsqrt": rsqrt,
    "floor": Builder.floor,
    "round": round_away,
    "exp": exp,
    "exp2": exp2,
    "log": log,
    "sin": sin,
    "cos": cos,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "atan2": atan2,
    "pow": pow,
    "tanh": tanh,
    "select_lt": select_lt,
    "select_le": select_le,
    "select_eq": select_eq,
}
