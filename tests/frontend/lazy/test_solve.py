"""Linear systems of kernels, as KernelSolve and as lazy tensors, against dense solutions."""

from __future__ import annotations

import linecache
import warnings
from importlib import import_module

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError, ConvergenceWarning, UnknownNameError

M, D, E = 30, 2, 3
FORMULA = "Exp(-g*SqDist(x,y))*a"
ALIASES = ["x = Vi(2)", "y = Vj(2)", "a = Vj(3)", "g = Pm(1)"]
SHARP = {"alpha": 0.1, "eps": 1e-12}


@pytest.fixture
def x(rng):
    return rng.normal(size=(M, D))


@pytest.fixture
def b(rng):
    return rng.normal(size=(M, E))


def matrix(x, alpha=0.1):
    return np.exp(-0.5 * ((x[..., :, None, :] - x[..., None, :, :]) ** 2).sum(-1)) + alpha * np.eye(
        x.shape[-2]
    )


def lazy_matrix(door, x):
    x = door.array(x)
    return (-door.Vi(x).sqdist(door.Vj(x)) / 2).exp()


def close_to(door, result, expected):
    np.testing.assert_allclose(door.values(result), expected, rtol=1e-8, atol=1e-8)


def ended(door, result):
    """The result, once what JAX still runs has ended: warnings too."""
    if door.name == "jax":
        import_module("jax").effects_barrier()
    return result


def test_kernel_solve_inverts_the_sum(door, x, b):
    solve = door.KernelSolve(FORMULA, ALIASES, "a", axis=1)
    points, g = door.array(x), door.array(np.array([0.5]))
    found = solve(points, points, door.array(b), g, **SHARP)
    close_to(door, found, np.linalg.solve(matrix(x), b))
    over_i = door.KernelSolve(
        "Exp(-g*SqDist(x,y))*a", ["x = Vi(2)", "y = Vj(2)", "a = Vi(3)", "g = Pm(1)"], "a"
    )
    close_to(door, over_i(points, points, door.array(b), g, **SHARP), found)
    written = door.KernelSolve("Exp(-g*SqDist(x,y))*Var(2,3,1)", ALIASES, "Var(2,3,1)", axis=1)
    close_to(door, written(points, points, door.array(b), g, **SHARP), found)


def test_lazy_tensors_solve(door, x, b):
    K, given = lazy_matrix(door, x), door.array(b)
    expected = np.linalg.solve(matrix(x), b)
    close_to(door, K.solve(given, **SHARP), expected)
    close_to(door, K.solve(door.Vi(given), **SHARP), expected)
    close_to(door, K.solve(door.Vj(given), **SHARP), expected)
    close_to(door, K.solve(given, call=False, **SHARP)(), expected)
    unknown = door.Vj(0, E)
    close_to(door, (2 * K * unknown).solve(given, var=unknown, alpha=0.2, eps=1e-12), expected / 2)
    later = K.solve(door.Vi(5, E), eps=1e-12)
    close_to(door, later(given, alpha=0.1), expected)
    points = door.Vi(0, D), door.Vj(1, D)
    kernel = (-points[0].sqdist(points[1]) / 2).exp()
    solve = kernel.solve(door.Vi(2, E), **SHARP)
    close_to(door, solve(door.array(x), door.array(x), given), expected)


def test_hermitian_systems(door, x, b, rng):
    momentum, c = np.array([0.7, -0.3]), b + 1j * rng.normal(size=b.shape)
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(x))
    K = (1j * ((X - Y) | door.Pm(door.array(momentum)))).exp() * lazy_matrix(door, x)
    phases = np.exp(1j * (x[:, None] - x) @ momentum)
    dense = phases * matrix(x, 0) + 0.1 * np.eye(M)
    expected = np.linalg.solve(dense, c)
    close_to(door, K.solve(door.array(c), **SHARP), expected)
    close_to(door, K.solve(door.Vi(door.array(c)), **SHARP), expected)
    close_to(door, K.solve(door.array(b), **SHARP), np.linalg.solve(dense, b))
    real = lazy_matrix(door, x).solve(door.array(c), **SHARP)
    close_to(door, real, np.linalg.solve(matrix(x), c))
    _, report = K.solve(door.array(c), report=True, **SHARP)
    assert door.values(report.residual).dtype.kind == "f"


def test_batches_stop_on_their_own(door, rng):
    x, b = (
        rng.normal(size=(2, M, 1, D)),
        rng.normal(size=(2, M, E)) * np.array([1, 1e-9])[:, None, None],
    )
    X = door.LazyTensor(door.array(x))
    Y = door.LazyTensor(door.array(np.swapaxes(x, 1, 2)))
    found, report = (-X.sqdist(Y) / 2).exp().solve(door.array(b), report=True, **SHARP)
    expected = np.linalg.solve(matrix(x[:, :, 0]), b)
    for one, other in zip(door.values(found), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9 * abs(other).max())
    assert door.values(report.converged).all()
    assert door.values(report.residual).shape == (2, 1, 1)


def test_a_solve_that_does_not_converge_says_so(door, x, b):
    K = lazy_matrix(door, x)
    with pytest.warns(ConvergenceWarning, match="did not converge: after 2 iterations"):
        _, report = ended(door, K.solve(door.array(b), maxiter=2, report=True))
    assert not door.values(report.converged).any()
    assert int(report.iterations) == 2
    with pytest.warns(ConvergenceWarning):
        ended(door, (-K).solve(door.array(b), alpha=0.0))  # not positive: no endless loop


def test_warnings_point_to_the_line_that_asked(door, x, b):
    K, given, points = lazy_matrix(door, x), door.array(b), door.array(x)
    solve = door.KernelSolve(FORMULA, ALIASES, "a", axis=1)
    gamma = door.array(np.array([0.5]))
    asked = [
        lambda: K.solve(given, maxiter=2),
        lambda: K.solve(given, maxiter=2, call=False)(),
        lambda: solve(points, points, given, gamma, maxiter=2),
    ]
    if door.name == "jax":
        jitted = import_module("jax").jit(lambda b: K.solve(b, maxiter=2))
        asked.append(lambda: jitted(given))
    for ask in asked:
        with pytest.warns(ConvergenceWarning) as told:
            ended(door, ask())
        (warning,) = told
        assert "maxiter=2" in linecache.getline(warning.filename, warning.lineno)


def test_warnings_of_derivatives_point_to_the_solve(door, x, b):
    K = lazy_matrix(door, x)
    if door.name == "torch":
        given = door.array(b).requires_grad_()
        with pytest.warns(ConvergenceWarning) as told:
            K.solve(given, maxiter=2).sum().backward()
    elif door.name == "jax":
        gradient = import_module("jax").grad(lambda b: K.solve(b, maxiter=2).sum())
        with pytest.warns(ConvergenceWarning) as told:
            ended(door, gradient(door.array(b)))
    else:
        return
    assert len(told) == 2
    for warning in told:
        assert "maxiter=2" in linecache.getline(warning.filename, warning.lineno)


def test_nothing_is_said_where_all_is_well(door, x, b):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        zeros = lazy_matrix(door, x).solve(door.array(0 * b), **SHARP)
        assert not door.values(zeros).any()
        single = door.array(x, "float32"), door.array(b, "float32")
        kernel = (-door.Vi(single[0]).sqdist(door.Vj(single[0])) / 2).exp()
        found = kernel.solve(single[1], alpha=0.1)
        np.testing.assert_allclose(
            door.values(found), np.linalg.solve(matrix(x), b), rtol=2e-3, atol=2e-3
        )
        assert lazy_matrix(door, x[:0]).solve(door.array(b[:0])).shape == (0, E)


def test_a_preconditioner_saves_iterations(door, x, b):
    K, inverse = lazy_matrix(door, x), door.array(np.linalg.inv(matrix(x)))
    plain = K.solve(door.array(b), report=True, **SHARP)
    helped = K.solve(door.array(b), report=True, preconditioner=lambda r: inverse @ r, **SHARP)
    close_to(door, helped[0], door.values(plain[0]))
    assert int(helped[1].iterations) < 5 < int(plain[1].iterations)


def test_numbers_whose_squares_are_out_of_range(door, x, b):
    expected = np.linalg.solve(matrix(x), b)
    single = door.array(x, "float32")
    K = (-door.Vi(single).sqdist(door.Vj(single)) / 2).exp()
    for scale in (1e-25, 1e20):
        given = door.array(b * scale, "float32")
        found, report = K.solve(given, alpha=0.1, eps=1e-6, report=True)
        found = door.values(found).astype("float64") / scale
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
        assert door.values(report.converged).all()


def test_what_is_not_a_number_ends_at_once(door, x, b):
    given = door.array(np.stack([b, np.nan * b]))
    with pytest.warns(ConvergenceWarning):
        _, report = ended(door, lazy_matrix(door, x).solve(given, report=True, **SHARP))
    assert door.values(report.converged).ravel().tolist() == [True, False]
    assert int(report.iterations) < 3 * M
    with pytest.warns(ConvergenceWarning):
        ended(door, lazy_matrix(door, x).solve(door.array(np.inf * b), **SHARP))


def test_numbers_out_of_range_are_told_of_once(door, x, b):
    given = door.array(np.inf * b)
    with pytest.warns() as told:  # all that is said, NumPy's own words among them
        ended(door, lazy_matrix(door, x).solve(given, **SHARP))
    assert [warning.category for warning in told] == [ConvergenceWarning]


def test_a_preconditioner_has_its_own_warnings(numpy_door, x, b):
    K = lazy_matrix(numpy_door, x)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        K.solve(b, preconditioner=lambda r: np.where(1 / (0 * r) > 0, r, r), **SHARP)


def test_alpha_has_the_dtype_of_the_rest(door, x, b):
    single, given = door.array(x, "float32"), door.array(b, "float32")
    K = (-door.Vi(single).sqdist(door.Vj(single)) / 2).exp()
    expected = door.values(K.solve(given, alpha=0.1))
    for alpha in (np.float64(0.1), np.array(0.1), door.array(0.1), door.array(np.full(E, 0.1))):
        found = door.values(K.solve(given, alpha=alpha, maxiter=np.int64(100)))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_ranges_and_options_reach_the_sums(door, x, b):
    ids = door.array(np.repeat([0, 1], M // 2))
    K = lazy_matrix(door, x).segment_ids(ids, ids)
    blocks = matrix(x, 0) * np.kron(np.eye(2), np.ones((M // 2, M // 2))) + 0.1 * np.eye(M)
    found = K.solve(door.array(b), sum_scheme="block_sum", backend="CPU", **SHARP)
    close_to(door, found, np.linalg.solve(blocks, b))


def test_what_is_no_system_is_refused(door, x, b):
    K, given = lazy_matrix(door, x), door.array(b)
    for ask, fault in [
        (lambda: K.solve(given[:, 0]), r"\(..., M, E\), got \(30,\)"),
        (lambda: K.solve(given[:4]), "axis i has 30 rows in one and 4"),
        (lambda: K.columns([0, 1]).solve(given), "as many rows i as rows j, got 30 and 2"),
        (lambda: K.solve(given, eps=-1.0), "eps is a tolerance"),
        (lambda: K.solve(given, maxiter=1.5), "maxiter is a number of iterations"),
        (
            lambda: K.solve(given, preconditioner=lambda r: r[:1]),
            r"preconditioner gives .* \(30, 3\), got \(1, 3\)",
        ),
        (lambda: K.solve(given, var=door.Vj(0, E)), "var does not occur"),
        (lambda: (K * door.Vj(0, 2)).solve(given, var=door.Vj(0, 2)), "K a has 2 coordinates"),
        (lambda: K.solve(door.Vi(0, E))(), "takes 1 arrays, got 0"),
    ]:
        with pytest.raises(ArgumentError, match=fault):
            ask()
    for ask, fault in [
        (lambda: K.solve(given, fast=True), "no option 'fast'"),
        (lambda: K.solve(given, preconditioner=3), "preconditioner is a function .* got int"),
        (lambda: K.solve(given, alpha="1"), "alpha is a real number or .*, got str"),
        (lambda: K.solve(2.0), "b is rows of numbers"),
        (lambda: K.solve(K), "b is rows of numbers"),
        (lambda: K.solve(given, var=K), "var is an argument"),
        (lambda: K.exp1j().solve(door.Vi(given)), "K is complex, and b is real"),
    ]:
        with pytest.raises(ArgumentTypeError, match=fault):
            ask()
    with pytest.raises(UnknownNameError, match="name of the unknown among the aliases"):
        door.KernelSolve(FORMULA, ALIASES, "c", axis=1)
    solve = door.KernelSolve(FORMULA, ALIASES, "a", axis=1)
    with pytest.raises(ArgumentTypeError, match="no option 'tol'"):
        solve(given, given, given, given, tol=1.0)
    with pytest.raises(ArgumentError, match="takes 4 arrays"):
        solve(given)
