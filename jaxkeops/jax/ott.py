"""An adapter for ott-jax: point clouds whose costs and kernels are reduced, and never formed.

It imports ott, which nothing else of jaxkeops needs: `from jaxkeops.jax.ott import LazyPointCloud`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import ArgumentTypeError
from .lazy import LazyTensor, Vi, Vj

try:
    from ott.geometry import costs
    from ott.geometry.pointcloud import PointCloud
except ImportError as error:
    raise ImportError(
        f"jaxkeops.jax.ott adapts ott, {error}. Install it: pip install ott-jax."
    ) from error

Cost = Callable[[Any, LazyTensor, LazyTensor], LazyTensor]

# What each cost of ott is for rows x and y, as lazy tensors.
COSTS: dict[type[costs.CostFn], Cost] = {
    costs.SqEuclidean: lambda cost, x, y: x.sqdist(y),
    costs.Euclidean: lambda cost, x, y: (x - y).norm2(),
    costs.EuclideanP: lambda cost, x, y: (x - y).norm2() ** cost.p,
    costs.PNormP: lambda cost, x, y: ((x - y).abs() ** cost.p).sum() / cost.p,
    costs.NegDotProduct: lambda cost, x, y: -(x | y),
    costs.Cosine: lambda cost, x, y: 1 - (x | y) / (x.norm2() * y.norm2() + cost._ridge),
}


@jax.tree_util.register_pytree_node_class
class LazyPointCloud(PointCloud):
    """A `PointCloud` of ott-jax whose kernels are applied by compiled reductions.

    LazyPointCloud(x, y=None, cost_fn=None, batch_size=1024, scale_cost=1.0, epsilon=None,
    relative_epsilon=None), of x: (M, D) and y: (N, D) of one dtype, takes the place of `PointCloud`
    in solvers of ott. Each application of a kernel costs M * N in time, and memory for its result
    only; first and higher derivatives are those of the reductions.
    cost_fn: SqEuclidean, Euclidean, EuclideanP, PNormP, NegDotProduct or Cosine; or one of your own
    with a method `lazy(x, y)` that gives its values for all pairs, a `LazyTensor` of dim 1, from
    the lazy rows x and y. `ArgumentTypeError` for others, as soon as their values are needed.
    batch_size: rows that are taken at once where `apply_cost` has a function of JAX to apply.
    `cost_matrix` and `kernel_matrix`, where something asks for them, are formed as in `PointCloud`.
    """

    def __init__(
        self,
        x: jax.Array,
        y: jax.Array | None = None,
        cost_fn: costs.CostFn | None = None,
        batch_size: int = 1024,
        scale_cost: float | str = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(x, y, cost_fn, batch_size, scale_cost, **options)

    def costs(self) -> LazyTensor:
        """The costs of all pairs, before they are scaled: (M, N), lazy."""
        x, y = Vi(self.x), Vj(self.y)
        if hasattr(self.cost_fn, "lazy"):
            return self.cost_fn.lazy(x, y)
        # The type itself: a cost that inherits from a known one may have other values.
        if type(self.cost_fn) in COSTS:
            return COSTS[type(self.cost_fn)](self.cost_fn, x, y)
        raise ArgumentTypeError(
            f"{type(self.cost_fn).__name__} has no lazy values: known are "
            f"{', '.join(kind.__name__ for kind in COSTS)}. Give your cost a method lazy(x, y) "
            "that makes them of two lazy tensors of rows, or use ott's PointCloud."
        )

    def _exponents(self, eps: jax.Array, axis: int, potential: jax.Array | None) -> LazyTensor:
        """(potential - cost) / eps, with the potential of the rows that are reduced."""
        exponents = self.costs() * (-self.inv_scale_cost / eps)
        return exponents if potential is None else _rows(potential / eps, axis) + exponents

    def apply_lse_kernel(
        self,
        f: jax.Array,
        g: jax.Array,
        eps: jax.Array,
        vec: jax.Array | None = None,
        axis: int = 0,
    ) -> tuple[jax.Array, jax.Array]:
        """eps log(sum(exp((g - cost) / eps) vec)) over rows of y for axis 1, (M,); with f, over
        rows of x for axis 0, (N,). Then the signs of the sums, or a one without `vec`."""
        exponents = self._exponents(eps, axis, g if axis == 1 else f)
        if vec is None:
            return eps * exponents.logsumexp(axis=axis)[:, 0], jnp.ones(1, self.dtype)
        top, total = _shifted_sum(exponents, vec[:, None], axis)
        total = total[:, 0]
        some = jnp.where(total == 0, 1, jnp.abs(total))
        logs = jnp.where(total == 0, -jnp.inf, top + jnp.log(some))
        return eps * logs, jnp.sign(total)

    def apply_kernel(
        self, vec: jax.Array, eps: jax.Array | None = None, axis: int = 0
    ) -> jax.Array:
        """The sum of exp(-cost / eps) vec over rows of y for axis 1, of x for axis 0."""
        kernel = self._exponents(self.epsilon if eps is None else eps, axis, None).exp()
        return (kernel if axis == 1 else kernel.T) @ vec

    def apply_transport_from_potentials(
        self, f: jax.Array, g: jax.Array, vec: jax.Array, axis: int = 0
    ) -> jax.Array:
        """The sum of exp((f + g - cost) / eps) vec: all of vec, (batch, N) or (N,) for axis 1 and
        (batch, M) or (M,) for axis 0, in one reduction."""
        reduced, kept = (g, f) if axis == 1 else (f, g)
        exponents = self._exponents(self.epsilon, axis, reduced)
        top, totals = _shifted_sum(exponents, jnp.atleast_2d(vec).T, axis)
        result = (jnp.exp(top + kept / self.epsilon)[:, None] * totals).T
        return result if vec.ndim > 1 else result[0]

    def _apply_cost_to_vec(
        self,
        vec: jax.Array,
        axis: int = 0,
        fn: Callable[[jax.Array], jax.Array] | None = None,
        is_linear: bool = False,
        scale_cost: jax.Array | float | None = None,
    ) -> jax.Array:
        scale = self.inv_scale_cost if scale_cost is None else scale_cost
        if self.is_squared_euclidean and (fn is None or is_linear):
            return self._apply_sqeucl_cost(vec, scale, axis, fn)  # linear in M and in N
        if fn is None:
            matrix = self.costs() if axis == 1 else self.costs().T
            return scale * (matrix @ vec)

        def sum_of_row(row: jax.Array) -> jax.Array:
            row = row[None]
            pairs = (row, self.y) if axis == 1 else (self.x, row)
            return fn(self.cost_fn.all_pairs(*pairs).ravel() * scale) @ vec

        kept = self.x if axis == 1 else self.y
        return jax.lax.map(sum_of_row, kept, batch_size=self.batch_size)

    def apply_square_cost(self, arr: jax.Array, axis: int = 0) -> jax.Array:
        """The sum of cost^2 arr over rows of y for axis 1, of x for axis 0."""
        squares = self.costs() ** 2
        return self.inv_scale_cost**2 * ((squares if axis == 1 else squares.T) @ arr)

    def _compute_summary_online(self, summary: str) -> jax.Array:
        if summary == "max_cost":
            return self.costs().abs().max(axis=1).max()
        return super()._compute_summary_online(summary)


def _rows(array: jax.Array, axis: int) -> LazyTensor:
    """Numbers (rows,), or rows (rows, E), on the axis that is reduced."""
    array = array[:, None] if array.ndim == 1 else array
    return Vj(array) if axis == 1 else Vi(array)


def _shifted_sum(exponents: LazyTensor, weights: jax.Array, axis: int) -> tuple[jax.Array, ...]:
    """m (rows,) and s (rows, E), such that exp(m) s is the sum of exp(exponents) weights."""
    found = exponents.reduction("Max_SumShiftExpWeight", other=_rows(weights, axis), axis=axis)
    return found[:, 0], found[:, 1:]
