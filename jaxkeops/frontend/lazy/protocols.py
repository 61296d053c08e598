"""Functions of NumPy and PyTorch applied to lazy tensors: which operator or method each one is."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import ArgumentTypeError
from .expression import Expression

# Where the library's name, less "torch." or underscores, is not that of the method.
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "sub": operator.sub,
    "multiply": operator.mul,
    "mul": operator.mul,
    "divide": operator.truediv,
    "true_divide": operator.truediv,
    "div": operator.truediv,
    "truediv": operator.truediv,
    "negative": operator.neg,
    "neg": operator.neg,
    "positive": operator.pos,
    "power": operator.pow,
    "float_power": operator.pow,
    "pow": operator.pow,
    "absolute": abs,
    "fabs": abs,
    "abs": abs,
    "remainder": operator.mod,
    "mod": operator.mod,
    "matmul": operator.matmul,
    "less": operator.lt,
    "lt": operator.lt,
    "less_equal": operator.le,
    "le": operator.le,
    "greater": operator.gt,
    "gt": operator.gt,
    "greater_equal": operator.ge,
    "ge": operator.ge,
    "equal": operator.eq,
    "eq": operator.eq,
    "not_equal": operator.ne,
    "ne": operator.ne,
}
REFLECTED = {f"r{name}": OPERATORS[name] for name in ("add", "sub", "mul", "div", "truediv", "pow")}
METHODS = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "reciprocal": "inv",
    "conjugate": "conj",
    "fmax": "maximum",
    "fmin": "minimum",
    "amax": "max",
    "amin": "min",
}
SAME_NAME = {
    *("acos", "angle", "asin", "atan", "atan2", "conj", "cos", "exp", "floor", "log"),
    *("maximum", "minimum", "relu", "round", "rsqrt", "sign", "sin", "sinc", "sqrt", "square"),
    *("tanh", "real", "imag"),
}
# With an axis only: without one, theirs are over all axes, and ours over the last.
OVER_AN_AXIS = ("sum", "logsumexp", "amax", "amin", "argmax", "argmin")
NUMPY = {"max": "amax", "min": "amin"}  # PyTorch's max and min are two results, so not the same
JOINING = ("concatenate", "concat", "cat")
CLIPPING = ("clip", "clamp")


def apply_ufunc(
    ufunc: Any, method: str, inputs: tuple[Any, ...], options: Mapping[str, Any]
) -> Any:
    """What a NumPy ufunc of `inputs` is; NotImplemented if it is nothing here."""
    if method != "__call__" or options:
        return NotImplemented
    # NumPy makes arrays of its scalars before it asks.
    given = [x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in inputs]
    return apply_function(ufunc.__name__, tuple(given), {})


def apply_function(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """What the function of this name is of lazy tensors; NotImplemented if it is nothing here."""
    name = name.strip("_")
    if name in REFLECTED:
        return apply_function(name[1:], args[::-1], options)
    if name in OPERATORS and not options:
        return _operated(OPERATORS[name], *args)
    if name in JOINING:
        tensors, *rest = args
        first = next(each for each in tensors if isinstance(each, Expression))
        dim = rest[0] if rest else options.get("axis", options.get("dim", 0))
        return first._real.concatenate(tuple(tensors), dim)
    if name == "where" and len(args) == 3 and not options:
        condition, one, other = args
        lazy = next(each for each in args if isinstance(each, Expression))
        return lazy._real(one).where(condition, other)
    if name in CLIPPING and args and isinstance(args[0], Expression):
        return _clipped(*args, **{key.removeprefix("a_"): x for key, x in options.items()})
    if name in OVER_AN_AXIS:
        known = len(args) > 1 or options.keys() & {"axis", "dim"}
    else:
        known = name in SAME_NAME or name in METHODS
    if not known or not args:
        return NotImplemented
    name = METHODS.get(name, name)
    first = args[0]
    if not isinstance(first, Expression):
        first = next(each for each in args if isinstance(each, Expression))._real(first)
    found = getattr(first, name, None)
    if found is None:
        raise ArgumentTypeError(f"{name} is not defined for a {type(first).__name__}.")
    return found(*args[1:], **options) if callable(found) else found


def _clipped(x: Any, min: Any = None, max: Any = None) -> Any:
    """Between two bounds, of which one may be None."""
    if min is not None and max is not None:
        return x.clamp(min, max)
    if min is None and max is None:
        raise ArgumentTypeError("clip takes a lower or an upper bound, or both: got neither.")
    return x.minimum(max) if min is None else x.maximum(min)


def _operated(function: Callable[..., Any], *args: Any) -> Any:
    """The operator, where an array on the left would ask NumPy again, and so on for ever."""
    if args and not isinstance(args[0], Expression):
        lazy = next(each for each in args if isinstance(each, Expression))
        if function is operator.matmul:
            return lazy.__rmatmul__(args[0])
        args = (lazy._operand(args[0]), *args[1:])
    return function(*args)
