"""The JAX door: reductions of formulas over JAX arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, NoBackendError
from ..formula import Formula, short_name
from ..frontend.genred import BACKENDS, XLA, Declared, GenredBase, check_call, common_dtype
from ..frontend.shapes import fit
from .primitive import Axes, Way, reduce
from .ranges import normal_ranges
from .ring import require_same_parameters, ring_of

Results = jax.Array | tuple[jax.Array, ...]


class Genred(GenredBase):
    """A reduction of a formula over all pairs of rows, as a function of JAX arrays.

    Genred(formula, aliases, reduction_op="Sum", axis=0, ...) has the signature of
    `pykeops.numpy.Genred`. With `aliases = ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"]` a call takes
    x: (M, 3), y: (N, 3), p: (1,), all of one dtype (float32, float64, float16 or bfloat16), and
    gives (M, dim of the formula) for axis=1 (reduced over j) or (N, dim) for axis=0 (reduced over
    i), of that dtype. Arrays of 16 bits are computed on as float32. Axes before these are batch
    axes; they follow NumPy's rule for extents of 1. Results that are row numbers are int64, or
    int32 where JAX's x64 mode is off.

    NumPy arrays become JAX arrays, and Python numbers serve as parameters of dim 1. The call may
    be under any transformation of JAX: jit, grad, jvp, vmap, to any order. The derivatives of
    minima and maxima are those of the formula at the rows that have them; where no row has one,
    and of row numbers, they are zero.

    Time M * N; memory for the result only: the (M, N) matrix is never formed. The first call of a
    formula compiles it, in tens of milliseconds. Threads may share one object.
    """

    backends = (*BACKENDS, XLA)
    call_options = (*GenredBase.call_options, "ring")

    def _take(self, declared: Declared, axis: int, flags: Mapping[str, Any]) -> None:
        super()._take(declared, axis, flags)
        self._declared = declared.formula
        self._compiled = _function(declared.formula, declared.names)

    def __call__(
        self,
        *args: jax.typing.ArrayLike,
        backend: str = "auto",
        device_id: int = -1,
        ranges: Sequence[jax.typing.ArrayLike] | None = None,
        out: None = None,
        ring: str | Sequence[str] | None = None,
    ) -> Results:
        """The reduction over the rows of `args`, one array for each alias.

        ranges: six integer arrays (ranges_i, slices_i, redranges_j, ranges_j, slices_j,
        redranges_i) that restrict the pairs to blocks: rows ranges_i[k] meet the columns of
        redranges_j[slices_i[k - 1]:slices_i[k]]; the last three are the same with i and j
        exchanged. axis=1 reads the first three, axis=0 the last, derivatives all: they are right
        if both halves hold the same pairs. Rows in no block get what an empty reduction gives.
        backend and device_id: JAX arrays know their device, and the call computes there; what
        contradicts that is refused, for arrays that are at hand and not traced. Arrays of NumPy are
        taken to where JAX puts them. "XLA" computes there too, by operations of XLA and without a
        kernel, derivatives included. Where there are no kernels, that is what "auto" does. Ranges
        on a GPU, or by XLA, are not checked: what is out of bounds is cut off.
        ring: inside `jax.shard_map`, the manual mesh axis, or axes, along which the rows that are
        reduced over lie. Their blocks go round the devices: each gives its own rows of the result,
        of all blocks, and holds two blocks at a time. Parameters must be the same along it.
        Raises `ArgumentError` for shapes, dtypes or options that do not fit, `ArgumentTypeError`
        for what is not an array, before anything runs. Numbers in ranges that do not fit the arrays
        are found when the program runs: JAX reports them, as `ValueError` or
        `jax.errors.JaxRuntimeError`.
        """
        if self._accumulates:
            self._check_accumulator(args)
        if backend != "auto" or device_id != -1 or out is not None:
            check_call(len(args), self._names, backend, self.backends)
            _check_place(args, backend, device_id)
            if out is not None:
                raise ArgumentError(
                    "out cannot be filled: JAX arrays never change. Use the result."
                )
        compiled = self._compiled
        if backend == XLA:
            compiled = _function(self._declared, self._names, XLA)
        try:
            if ring is not None:
                compiled = _function(self._declared, self._names, backend, ring_of(ring, ranges))
            if ranges is None:
                return compiled(*args)
            return compiled(*args, ranges=normal_ranges(ranges, self.axis))
        except ArgumentTypeError:
            raise
        except TypeError:
            _require_arrays(args, self._names)
            raise


def _check_place(args: Sequence[Any], backend: str, device_id: int) -> None:
    """Refuses arrays that are elsewhere than `backend` and `device_id` say, if they say so."""
    if backend == XLA:
        return
    wanted = {"auto": None, "CPU": "cpu"}.get(backend, "gpu")
    for device in _places(args):
        if wanted not in (None, device.platform):
            raise ArgumentError(
                f"backend={backend!r}, and an array is on {device}: JAX arrays are reduced "
                f"where they are. Move it: jax.device_put(x, {_first(wanted, backend)!r})."
            )
        if device.platform == "gpu" and device_id not in (-1, device.local_hardware_id):
            raise ArgumentError(
                f"device_id is {device_id}, and an array is on {device}: JAX arrays are "
                "reduced where they are. Move it, or leave device_id out."
            )


def _places(args: Sequence[Any]) -> list[jax.Device]:
    """Where the arrays at hand are; where JAX puts those of others, if there are only such."""
    arrays = [arg for arg in args if isinstance(arg, jax.Array)] or [jnp.zeros(())]
    known = [array for array in arrays if not isinstance(array, jax.core.Tracer)]
    return [device for array in known for device in array.devices()]


def _first(platform: str, backend: str) -> jax.Device:
    try:
        return jax.devices(platform)[0]
    except RuntimeError as error:
        raise NoBackendError(
            f"backend={backend!r} asks for a CUDA GPU, and JAX has none: {error}. Use "
            "backend='auto' or 'CPU'."
        ) from None


@lru_cache(maxsize=4096)
def _function(
    formula: Formula, names: tuple[str, ...], backend: str = "auto", ring: Axes = ()
) -> Callable[..., Results]:
    """The formula as a jitted function: its compiled path takes a third of the time of a bind."""

    def jaxkeops_reduce(*args: Any, ranges: tuple[Any, ...] = ()) -> Results:
        check_call(len(args), names, "auto")
        _require_arrays(args, names)
        arrays = _of_one_dtype(args, names)
        fitted = fit(formula.inputs, [array.shape for array in arrays], names)
        operands = [
            array.reshape(shape) for array, shape in zip(arrays, fitted.arrays, strict=True)
        ]
        blocks = [jnp.asarray(array) for array in ranges]
        if ring:
            require_same_parameters(formula, operands, names, ring)
        way = Way(_index_dtype(formula), ring, XLA if backend == XLA else "auto")
        results = reduce(formula, way, operands, blocks)
        seen = tuple(
            array.reshape(*array.shape[:-1], *result.tail)
            for array, result in zip(results, formula.results, strict=True)
            if not result.hidden
        )
        return seen if len(seen) > 1 else seen[0]

    # Profiles show calls outside of other compiled functions by this name.
    jaxkeops_reduce.__name__ = f"jaxkeops_reduce {short_name(formula, names)}"
    return jax.jit(jaxkeops_reduce, inline=True)


def _index_dtype(formula: Formula) -> str:
    """That of row numbers here and now; one name for all formulas that give none."""
    kinds = [result.kind for result in formula.results]
    return jnp.result_type(int).name if "index" in kinds else "int64"


def _of_one_dtype(args: Sequence[Any], names: Sequence[str]) -> list[jax.Array]:
    """The arrays; Python numbers, and what is computed from them alone, take the others' dtype."""
    arrays = [jnp.asarray(arg) for arg in args]
    weak = [jax.typeof(array).weak_type and array.dtype.kind in "if" for array in arrays]
    strong = [k for k, each in enumerate(weak) if not each]
    if strong:
        dtype = common_dtype([arrays[k].dtype.name for k in strong], [names[k] for k in strong])
    else:
        dtype = jnp.result_type(float).name
    return [
        array.astype(dtype) if each else array for array, each in zip(arrays, weak, strict=True)
    ]


def _require_arrays(args: Sequence[Any], names: Sequence[str]) -> None:
    for name, arg in zip(names, args, strict=False):
        number = isinstance(arg, int | float | complex | np.number)
        if not number and not isinstance(arg, jax.Array | np.ndarray):
            raise ArgumentTypeError(
                f"{name} must be a jax.Array, a numpy.ndarray or a number, got "
                f"{type(arg).__name__}. Use jax.numpy.asarray, or the jaxkeops door of its library."
            )
