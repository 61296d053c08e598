"""A reduction of a formula as users call it: what all doors share, options and checks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, Self

import jaxkeops

from ..compiler import Stages, stages
from ..dtypes import FLOAT_CHOICE, FLOATS
from ..errors import ArgumentError, ArgumentTypeError, FormulaError, NoBackendError
from ..formula import (
    SWAPPED,
    Formula,
    declare,
    formula_of,
    make_formula,
    read_formulas,
    spelled,
    swap_axes,
    whole_count,
)
from ..ir import Input
from ..schedule import Cost, cost_of
from .shapes import fit

BACKENDS = (
    "auto",
    "CPU",
    "GPU",
    "GPU_1D",
    "GPU_1D_device",
    "GPU_1D_host",
    "GPU_2D",
    "GPU_2D_device",
    "GPU_2D_host",
)
XLA = "XLA"  # where arrays are JAX's: no kernel of ours, but operations of XLA
SUM_SCHEMES = ("auto", "direct_sum", "block_sum", "kahan_scheme")
# Data of which dtypes each accumulator may be asked for; all totals are at least as wide anyway.
ACCUMULATORS = {
    "auto": tuple(FLOATS),
    "float16": ("float16", "bfloat16"),
    "float32": ("float16", "bfloat16", "float32"),
    "float64": ("float32", "float64"),
}

# Options of the constructor that say how to compute, not what, and what they are by default.
FLAGS = {
    "dtype_acc": "auto",
    "use_double_acc": False,
    "sum_scheme": "auto",
    "enable_chunks": True,
    "rec_multVar_highdim": False,
    "use_fast_math": True,
}


@dataclass(frozen=True)
class Declared:
    """A formula in normal form, and what its user calls the arrays.

    names: one for each array, in the order of the call, for messages.
    """

    formula: Formula
    names: tuple[str, ...]


def declare_formula(
    formula: str,
    aliases: Sequence[str],
    reduction_op: str,
    axis: int,
    formula2: str | None = None,
    opt_arg: int | None = None,
) -> Declared:
    """Reads a formula, and that of its weights, with their aliases.

    Raises a `FormulaError`, with the formula and a caret, for what cannot be read, and
    `ArgumentError` for an axis that is not 0 or 1.
    """
    if axis not in (0, 1) or isinstance(axis, bool):
        raise ArgumentError(
            "axis must be 0 (reduce over i, rows indexed by j) or 1 (reduce over j, rows "
            f"indexed by i), got {axis!r}."
        )
    if not isinstance(formula, str):
        raise ArgumentTypeError(f"formula must be a string, got {type(formula).__name__}.")
    if reduction_op == "Zero" and formula.strip().isdecimal():
        formula = f"Zero({formula.strip()})"  # this reduction is of a width, written alone
    texts = [formula, formula2] if formula2 else [formula]
    nodes, variables = read_formulas(texts, aliases)
    if not variables:
        raise ArgumentError(
            f"The formula {formula!r} takes no arrays, so nothing says the dtype of its result: "
            "declare one in aliases."
        )
    inputs = [Input(var.axis, var.dim) for var in variables]
    if axis == 0:
        nodes = tuple(map(swap_axes, nodes))
        inputs = [Input(SWAPPED[given.axis], given.dim) for given in inputs]
    weight = nodes[1] if len(nodes) > 1 else None
    try:
        made = make_formula(reduction_op, nodes[0], inputs, weight, opt_arg or None)
    except FormulaError as error:
        if error.located:
            raise
        raise type(error)(f"{error}\n    {formula}") from None
    names = {var.slot: name for name, var in declare(aliases).names.items()}
    return Declared(made, tuple(names.get(var.slot, spelled(var)) for var in variables))


class GenredBase(ABC):
    """The constructor, the attributes and the checks that the three doors have in common."""

    backends: ClassVar[tuple[str, ...]] = BACKENDS  # what a call may name
    call_options: ClassVar[tuple[str, ...]] = ("backend", "device_id", "ranges", "out")

    def __init__(
        self,
        formula: str,
        aliases: Sequence[str],
        reduction_op: str = "Sum",
        axis: int = 0,
        dtype: Any = None,
        opt_arg: int | None = None,
        formula2: str | None = None,
        cuda_type: Any = None,
        dtype_acc: str = "auto",
        use_double_acc: bool = False,
        sum_scheme: str = "auto",
        enable_chunks: bool = True,
        rec_multVar_highdim: bool | int | None = False,
        use_fast_math: bool = True,
    ) -> None:
        opt_arg = whole_count(opt_arg)
        declared = declare_formula(formula, aliases, reduction_op, axis, formula2, opt_arg)
        flags = {
            "dtype_acc": dtype_acc,
            "use_double_acc": use_double_acc,
            "sum_scheme": sum_scheme,
            "enable_chunks": enable_chunks,
            "rec_multVar_highdim": rec_multVar_highdim,
            "use_fast_math": use_fast_math,
        }
        self._take(declared, axis, flags)
        self._given = (
            formula,
            tuple(aliases),
            reduction_op,
            axis,
            dtype,
            opt_arg,
            formula2,
            cuda_type,
            *flags.values(),
        )
        inside = [formula, *([str(opt_arg)] if opt_arg else []), str(1 - axis)]
        self.formula = (
            f"{reduction_op}_Reduction({','.join([*inside, *([formula2] if formula2 else [])])})"
        )
        self.aliases = list(aliases)
        self.reduction_op = reduction_op
        self.opt_arg = opt_arg

    @classmethod
    def of(cls, declared: Declared, axis: int, options: Mapping[str, Any]) -> Self:
        """The reduction over `axis` of a formula in normal form, of which there is no string.

        options: those of the constructor that say how to compute, by name.
        Raises `ArgumentTypeError` for one that there is not.
        """
        unknown = [name for name in options if name not in FLAGS]
        if unknown:
            raise ArgumentTypeError(
                f"There is no option {unknown[0]!r}: a reduction takes {', '.join(FLAGS)}, and a "
                "call backend, device_id, ranges, out."
            )
        self = cls.__new__(cls)
        self._take(declared, axis, {**FLAGS, **options})
        self.formula = declared.formula.text
        self.aliases = list(declared.names)
        self.reduction_op = declared.formula.reduction.name
        self.opt_arg = declared.formula.count
        self._given = declared, axis, dict(options)
        return self

    def _take(self, declared: Declared, axis: int, flags: Mapping[str, Any]) -> None:
        """Keeps what calls need. Raises `ArgumentError` for options that do not fit."""
        formula = declared.formula
        reduction = formula.reduction
        accumulator, double = flags["dtype_acc"], flags["use_double_acc"]
        summed = reduction.derivative is not None
        _check_accuracy(reduction.name, summed, accumulator, double, flags["sum_scheme"])
        self._formula = formula
        self._names = declared.names
        self._ready: dict[Any, Any] = {}  # what a door keeps for calls to come, by dtype
        # Whether users see the kernel's results as they are: all of them, and flat.
        self._plain = not any(r.hidden or len(r.tail) > 1 for r in formula.results)
        self.nargs = len(declared.names)
        self.axis = axis
        self.optional_flags = {
            "dtype_acc": "float64" if double else accumulator,
            "sum_scheme": flags["sum_scheme"],
            "use_fast_math": int(flags["use_fast_math"]),
            "enable_chunks": int(flags["enable_chunks"]),
            "multVar_highdim": int(bool(flags["rec_multVar_highdim"])),
        }
        self._accumulates = self.optional_flags["dtype_acc"] != "auto"

    @abstractmethod
    def __call__(
        self,
        *args: Any,
        backend: str = "auto",
        device_id: int = -1,
        ranges: Sequence[Any] | None = None,
        out: Any = None,
    ) -> Any:
        """The reduction of the formula over the rows of `args`."""

    def stages(self, dtype: str = "float32") -> Stages:
        """What this formula becomes for data of `dtype`: formula, program, LLVM, assembly."""
        if dtype not in FLOATS:
            raise ArgumentError(f"dtype must be {FLOAT_CHOICE}, got {dtype!r}.")
        return stages(self._formula, dtype)

    def cost(self, *args: Any) -> Cost:
        """The operations and the bytes of a call with these arguments, without ranges.

        args: arrays, numbers, or anything else that has a shape and a dtype; none is read.
        Raises `ArgumentError` for shapes and dtypes that do not fit. Costs no more than lowering
        the formula, a few milliseconds.
        """
        shapes = [tuple(getattr(arg, "shape", ())) for arg in args]
        fitted = fit(self._formula.inputs, shapes, self._names)
        known = [
            (str(arg.dtype).removeprefix("torch."), name)
            for arg, name in zip(args, self._names, strict=True)
            if hasattr(arg, "dtype")
        ]
        dtype = common_dtype(*zip(*known, strict=True)) if known else "float32"
        extents = math.prod(fitted.batch), fitted.M, fitted.N
        return cost_of(self._formula, dtype, "int64", fitted.arrays, extents)

    def _check_accumulator(self, args: Sequence[Any]) -> None:
        """Raises `ArgumentError` if dtype_acc was given and is not for data like `args`."""
        accumulator = self.optional_flags["dtype_acc"]
        dtype = str(getattr(next(iter(args), None), "dtype", "")).removeprefix("torch.")
        if dtype in FLOATS and dtype not in ACCUMULATORS[accumulator]:
            raise ArgumentError(
                f"dtype_acc={accumulator!r} is for data of "
                f"{' or '.join(ACCUMULATORS[accumulator])}, and the arrays are {dtype}."
            )

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        if isinstance(self._given[0], Declared):
            declared, axis, options = self._given
            return _from_text, (type(self), declared.formula.text, declared.names, axis, options)
        return type(self), self._given

    def __repr__(self) -> str:
        return f"Genred({self.formula!r}, {self.aliases!r})"


def _from_text(
    cls: type[GenredBase],
    text: str,
    names: tuple[str, ...],
    axis: int,
    options: Mapping[str, Any],
) -> GenredBase:
    """What `GenredBase.of` made, from what pickles carry of it."""
    return cls.of(Declared(formula_of(text), names), axis, options)


def check_call(
    count: int, names: Sequence[str], backend: str, backends: Sequence[str] = BACKENDS
) -> None:
    """Raises `ArgumentError` for a wrong number of arrays or an unknown option of a call."""
    if count != len(names):
        raise ArgumentError(
            f"The formula takes {len(names)} arrays ({', '.join(names)}), got {count}."
        )
    if backend not in backends:
        hint = f" {XLA!r} computes on JAX arrays: use jaxkeops.jax." if backend == XLA else ""
        raise ArgumentError(f"backend must be one of {', '.join(backends)}, got {backend!r}.{hint}")


def gpu_number(device_id: Any, count: int) -> int:
    """Which of `count` GPUs serves data that are on none: `device_id`, or the default for -1.

    Raises `ArgumentError` for a number that is none, `NoBackendError` if there is no such GPU.
    """
    default = jaxkeops.default_device_id  # which users set, as PyKeOps' own
    if not _is_count(device_id, -1):
        raise ArgumentError(
            f"device_id must be the number of a GPU, or -1 for the default, got {device_id!r}."
        )
    if device_id == -1 and not _is_count(default, 0):
        raise ArgumentError(
            f"jaxkeops.default_device_id must be the number of a GPU, got {default!r}."
        )
    number = int(default if device_id == -1 else device_id)
    if number >= count:
        raise NoBackendError(f"There is no GPU {number}: this process has {count}, counted from 0.")
    return number


def _is_count(number: Any, least: int) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool) and number >= least


def common_dtype(dtypes: Sequence[str], names: Sequence[str]) -> str:
    """The one dtype of all arrays, by name. Raises `ArgumentError` if there is not one."""
    for name, dtype in zip(names, dtypes, strict=True):
        if dtype not in FLOATS:
            raise ArgumentError(
                f"{name} has dtype {dtype}; expected {FLOAT_CHOICE}. Convert it first."
            )
        if dtype != dtypes[0]:
            raise ArgumentError(
                f"All arrays must have one dtype: {names[0]} has {dtypes[0]}, {name} has {dtype}. "
                "Convert one of them."
            )
    return dtypes[0]


def _check_accuracy(
    reduction: str, summed: bool, dtype_acc: str, use_double_acc: bool, sum_scheme: str
) -> None:
    if dtype_acc not in ACCUMULATORS:
        raise ArgumentError(
            f"dtype_acc must be one of {', '.join(ACCUMULATORS)}, got {dtype_acc!r}."
        )
    if dtype_acc != "auto" and use_double_acc:
        raise ArgumentError("Give dtype_acc or use_double_acc=True, not both.")
    if sum_scheme not in SUM_SCHEMES:
        raise ArgumentError(
            f"sum_scheme must be one of {', '.join(SUM_SCHEMES)}, got {sum_scheme!r}."
        )
    accuracy = dtype_acc != "auto" or use_double_acc or sum_scheme in ("block_sum", "kahan_scheme")
    if accuracy and not summed:
        raise ArgumentError(
            f"dtype_acc, use_double_acc and sum_scheme are about sums; the reduction {reduction} "
            "does not sum. Leave them out."
        )
