"""Lazy tensors as operators of lineax: products, solves, and their derivatives, against dense."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

lineax = pytest.importorskip("lineax")

from jaxkeops import ComplexLazyTensor, Genred, LazyTensor, Vi, Vj  # noqa: E402
from jaxkeops.errors import ArgumentError, ArgumentTypeError  # noqa: E402
from jaxkeops.jax.lineax import LazyLinearOperator  # noqa: E402

M, N, D = 12, 9, 2
DEFINITE = lineax.positive_semidefinite_tag


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(M, D)))


@pytest.fixture
def y(rng):
    return jnp.asarray(rng.normal(size=(N, D)))


def gaussian(x, y):
    return (-Vi(x).sqdist(Vj(y))).exp()


def dense(x, y):
    return jnp.exp(-((x[:, None] - y) ** 2).sum(-1))


def regular(x, scale):
    """The operator of scale K(x, x) + 1, and the same dense."""
    operator = LazyLinearOperator(scale * gaussian(x, x), DEFINITE)
    one = lineax.IdentityLinearOperator(operator.in_structure())
    return operator + one, scale * dense(x, x) + jnp.eye(len(x))


def close(result, expected, units=1e4):
    np.testing.assert_allclose(result, expected, rtol=0, atol=units * np.finfo(float).eps)


def test_an_operator_is_the_matrix(x, y, rng):
    operator, matrix = LazyLinearOperator(gaussian(x, y)), dense(x, y)
    v, w = jnp.asarray(rng.normal(size=N)), jnp.asarray(rng.normal(size=M))
    close(operator.mv(v), matrix @ v)
    close(operator.T.mv(w), matrix.T @ w)
    close(operator.as_matrix(), matrix)
    close((operator.T @ operator).mv(v), matrix.T @ (matrix @ v))
    close((2 * operator - operator / 2).mv(v), 1.5 * matrix @ v)
    assert operator.in_structure() == jax.ShapeDtypeStruct((N,), jnp.float64)
    assert operator.out_structure() == jax.ShapeDtypeStruct((M,), jnp.float64)
    assert (operator.in_size(), operator.out_size()) == (N, M)
    close(lineax.materialise(operator).matrix, matrix)
    assert lineax.linearise(operator) is operator
    assert lineax.conj(operator) is operator
    square = LazyLinearOperator(gaussian(x, x + 1))
    close(lineax.diagonal(square), jnp.diag(dense(x, x + 1)))
    for found, offset in zip(lineax.tridiagonal(square), (0, -1, 1), strict=True):
        close(found, jnp.diag(dense(x, x + 1), offset))


def test_tags_say_what_is_known(x):
    K = gaussian(x, x)
    assert not lineax.is_symmetric(LazyLinearOperator(K))
    assert lineax.is_symmetric(LazyLinearOperator(K, lineax.symmetric_tag))
    definite = LazyLinearOperator(K, [DEFINITE, lineax.unit_diagonal_tag])
    for says in (
        lineax.is_symmetric,
        lineax.is_positive_semidefinite,
        lineax.has_unit_diagonal,
    ):
        assert says(definite)
        assert says(definite.T)
    for says_not in (
        lineax.is_negative_semidefinite,
        lineax.is_diagonal,
        lineax.is_tridiagonal,
        lineax.is_lower_triangular,
    ):
        assert not says_not(definite)
    lower = LazyLinearOperator(K, lineax.lower_triangular_tag)
    assert lineax.is_upper_triangular(lower.T)
    assert not lineax.is_upper_triangular(lower)


@pytest.mark.parametrize(
    "solver",
    [lineax.CG(1e-13, 1e-13), lineax.GMRES(1e-13, 1e-13), lineax.Cholesky(), lineax.LU()],
    ids=lambda solver: type(solver).__name__,
)
def test_solvers_of_square_systems(solver, x, rng):
    b = jnp.asarray(rng.normal(size=M))
    operator, matrix = regular(x, 0.5)
    if isinstance(solver, lineax.Cholesky | lineax.CG):
        assert lineax.is_positive_semidefinite(operator)
    solve = jax.jit(lambda operator, b: lineax.linear_solve(operator, b, solver).value)
    close(solve(operator, b), jnp.linalg.solve(matrix, b))


def test_least_squares(x, y, rng):
    b = jnp.asarray(rng.normal(size=M))
    found = lineax.linear_solve(
        LazyLinearOperator(gaussian(x, y)), b, lineax.Normal(lineax.CG(1e-14, 1e-14)), throw=False
    ).value
    matrix = dense(x, y)
    gradient = matrix.T @ (matrix @ found - b)
    assert jnp.abs(gradient).max() < 1e-6


def test_solutions_have_derivatives(x, rng):
    b, direction = (jnp.asarray(rng.normal(size=M)) for _ in range(2))
    t = jnp.asarray(rng.normal(size=x.shape))

    def value(x, scale, b):
        operator, _ = regular(x, scale)
        return direction @ lineax.linear_solve(operator, b, lineax.CG(1e-14, 1e-14)).value

    def known(x, scale, b):
        return direction @ jnp.linalg.solve(regular(x, scale)[1], b)

    at = (x, jnp.asarray(0.5), b)
    for found, expected in zip(
        jax.jit(jax.grad(value, (0, 1, 2)))(*at), jax.grad(known, (0, 1, 2))(*at), strict=True
    ):
        close(found, expected, 1e6)
    second = (
        jax.jvp(jax.grad(lambda x, each=each: each(x, 0.5, b)), (x,), (t,))[1]
        for each in (value, known)
    )
    close(*second, 1e6)


def test_systems_are_mapped(rng):
    x, b = jnp.asarray(rng.normal(size=(3, M, D))), jnp.asarray(rng.normal(size=(3, M)))
    found = jax.vmap(
        lambda x, b: lineax.linear_solve(regular(x, 0.5)[0], b, lineax.CG(1e-13, 1e-13)).value
    )(x, b)
    close(found, jax.vmap(lambda x, b: jnp.linalg.solve(regular(x, 0.5)[1], b))(x, b))


def test_pairs_out_of_the_ranges_are_zeros(x, rng):
    ids = np.repeat([0, 1], M // 2)
    operator = LazyLinearOperator(gaussian(x, x).segment_ids(ids, ids))
    matrix = dense(x, x) * (ids[:, None] == ids)
    v = jnp.asarray(rng.normal(size=M))
    close(operator.mv(v), matrix @ v)
    close(operator.as_matrix(), matrix)
    close(lineax.diagonal(operator), jnp.diag(matrix))
    close(lineax.tridiagonal(operator)[1], jnp.diag(matrix, -1))
    close(jax.grad(lambda v: v @ operator.mv(v))(v), (matrix + matrix.T) @ v)


def test_a_formula_is_an_operator_too(x, rng):
    product = Genred("Exp(-SqDist(x, y)) * v", ["x = Vi(2)", "y = Vj(2)", "v = Vj(1)"], axis=1)
    b = jnp.asarray(rng.normal(size=M))

    def solution(x):
        operator = lineax.FunctionLinearOperator(
            lambda v: product(x, x, v[:, None])[:, 0] + v, jax.eval_shape(lambda: b), DEFINITE
        )
        return lineax.linear_solve(operator, b, lineax.CG(1e-14, 1e-14)).value

    def known(x):
        return jnp.linalg.solve(dense(x, x) + jnp.eye(M), b)

    close(solution(x), known(x))
    gradients = (
        jax.grad(lambda x, each=each: (each(x) ** 2).sum())(x) for each in (solution, known)
    )
    close(*gradients, 1e6)


def test_what_is_no_matrix_is_refused(x):
    K = gaussian(x, x)
    for given, error, fault in [
        (K.dense(), ArgumentTypeError, "made of a real LazyTensor of JAX, got"),
        (K @ K, ArgumentTypeError, "got Product. For a product, compose operators by @"),
        (K * 1j, ArgumentTypeError, "got ComplexLazyTensor"),
        (Vi(x) - Vj(x), ArgumentError, r"A matrix has the shape \(M, N\), got \(12, 12, 2\)"),
        (LazyTensor(2.0), ArgumentError, "no dtype"),
    ]:
        with pytest.raises(error, match=fault):
            LazyLinearOperator(given)
    assert isinstance(K * 1j, ComplexLazyTensor)
    with pytest.raises(ValueError, match="matching input and output"):
        LazyLinearOperator(gaussian(x, x[1:]), lineax.symmetric_tag)
