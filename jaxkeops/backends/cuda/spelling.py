"""How CUDA C++ spells the scalar instructions, constants and types: the table of this backend."""

from __future__ import annotations

import math

# `math::` is of texts/prelude.cuh, which also says how large errors are.
SPELLING: dict[str, str] = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "math::div({}, {})",
    "fma": "math::fma({}, {}, {})",
    "neg": "-{}",
    "abs": "math::abs({})",
    "sqrt": "math::sqrt({})",
    "rsqrt": "math::rsqrt({})",
    "floor": "math::floor({})",
    "round": "math::round({})",
    "exp": "math::exp({})",
    "exp2": "power_of_two({})",
    "log": "math::log({})",
    "sin": "math::sin({})",
    "cos": "math::cos({})",
    "asin": "math::asin({})",
    "acos": "math::acos({})",
    "atan": "math::atan({})",
    "atan2": "math::atan2({}, {})",
    "pow": "math::pow({}, {})",
    "tanh": "math::tanh({})",
    "select_lt": "{} < {} ? {} : {}",
    "select_le": "{} <= {} ? {} : {}",
    "select_eq": "{} == {} ? {} : {}",
}

TYPES = {
    "float16": "Float16",
    "bfloat16": "BFloat16",
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "int64": "Index",
}


def number(value: float) -> str:
    """A constant of type Real, exactly; one of float32 is rounded by the compiler, once."""
    if math.isnan(value):
        return "math::nan(Real())"
    if math.isinf(value):
        return f"({'-' if value < 0 else ''}math::infinity(Real()))"
    return f"Real({value.hex()})"
