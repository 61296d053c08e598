"""Complex lazy tensors against NumPy's complex numbers."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError

M, N, D = 3, 4, 2


@pytest.fixture
def numbers(rng):
    def drawn(rows):
        return rng.uniform(0.5, 1.5, (rows, D)) + 1j * rng.uniform(0.5, 1.5, (rows, D))

    return drawn(M), drawn(N), rng.uniform(0.5, 1.5, (N, D))


@pytest.fixture
def lazy(door, numbers):
    z, w, r = numbers
    made = door.Vi(door.array(z)), door.Vj(door.array(w)), door.Vj(door.array(r))
    return *made, z[:, None], w[None], r[None]


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("apply", BINARY, ids=lambda f: f.__name__)
def test_arithmetic_with_all_kinds_of_numbers(apply, lazy, door, close):
    Z, W, R, z, w, r = lazy
    close(apply(Z, W).dense(), apply(z, w))
    close(apply(Z, R).dense(), apply(z, r))
    close(apply(R, Z).dense(), apply(r, z))
    for number in (2, -1, 0.7, 1j, 2 - 3j, np.complex128(1 + 1j), np.float64(0.5)):
        close(apply(Z, number).dense()[:, 0], apply(z, number)[:, 0])
        close(apply(number, Z).dense()[:, 0], apply(number, z)[:, 0])
        close(apply(R, number).dense()[0] + 0j, apply(r, number)[0] + 0j)
    row = np.array([1 + 2j, 3 + 4j])
    close(apply(Z, [1 + 2j, 3 + 4j]).dense()[:, 0], apply(z, row)[:, 0])
    close(apply(Z, door.array(row)).dense()[:, 0], apply(z, row)[:, 0])
    close(apply(door.array(row), Z).dense()[:, 0], apply(row, z)[:, 0])
    close(apply(Z[0], W).dense(), apply(z[..., :1], w))
    close(apply(Z[0], R).dense(), apply(z[..., :1], r))
    close(apply(Z, R[1]).dense(), apply(z, r[..., 1:]))


def test_functions_and_parts(lazy, close):
    Z, _, _, z, *_ = lazy
    close(abs(Z).dense()[:, 0], abs(z)[:, 0])
    for name in ("exp", "log", "sqrt", "conj"):
        close(getattr(Z, name)().dense()[:, 0], getattr(np, name)(z)[:, 0])
    close(Z.real.dense()[:, 0], z.real[:, 0])
    close(Z.imag.dense()[:, 0], z.imag[:, 0])
    close(Z.angle().dense()[:, 0], np.angle(z)[:, 0])
    close((-Z).dense()[:, 0], -z[:, 0])
    close(Z.square().dense()[:, 0], (z**2)[:, 0])


@pytest.mark.parametrize("exponent", [0, 1, 2, 5, -1, -3, 0.5, -1.5, 1j, 2.5 - 1j])
def test_powers(exponent, lazy, close):
    Z, _, R, z, _, r = lazy
    close((Z**exponent).dense()[:, 0], (z**exponent)[:, 0])
    close(Z.power(exponent).dense()[:, 0], (z**exponent)[:, 0])
    close((R**Z).dense(), r**z)
    close((2**Z).dense()[:, 0], (2**z)[:, 0])


def test_coordinates_count_complex_numbers(lazy, door, close):
    Z, W, R, z, w, r = lazy
    assert (Z.shape, Z._shape, Z.dtype) == ((M, 1, D), (M, 1, 2 * D), "complex128")
    assert Z[0].shape == (M, 1)
    close(Z[1].dense()[:, 0], z[:, 0, 1])
    close(Z[:1].dense()[:, 0], z[:, 0, 0])
    close((Z | W).dense(), (z * w).sum(-1))
    close(Z.sum().dense()[:, 0], z.sum(-1)[:, 0])
    close(
        door.LazyTensor.cat((Z, W, R), -1).dense(),
        np.concatenate([np.broadcast_to(each, (M, N, D)) for each in (z, w, r)], -1),
    )
    close(
        door.ComplexLazyTensor.cat((Z, W), -1).dense()[..., 0],
        np.broadcast_to(z, (M, N, D))[..., 0],
    )


def test_sums_are_complex_arrays(lazy, door, numbers, close):
    Z, W, R, z, w, r = lazy
    close((Z / W).sum(1), (z / w).sum(1))
    close((Z / W).sum(dim=0), (z / w).sum(0))
    close((Z * R).sum_reduction(axis=1, call=False)(), (z * r).sum(1))
    real = (R.T * door.Vj(door.array(numbers[2]))).sum(-1)
    assert not real.is_complex
    v = numbers[1]
    dense = (r[0][:, None] * r).sum(-1)
    close(real @ door.array(v), dense @ v)
    close(real @ door.array(v[:, 0]), dense @ v[:, 0])
    close((Z[0] - W[0]) @ door.array(v), (z - w)[..., 0] @ v)
    close((Z[0] - W[0]) @ door.array(v.real), (z - w)[..., 0] @ v.real)


def test_a_non_uniform_fourier_transform(door, rng, close):
    x, p, f = rng.normal(size=(6, 1)), rng.normal(size=(6, 1)), rng.normal(size=(4, 1))
    X, P, F = door.Vi(door.array(x + 0j)), door.Vi(door.array(p)), door.Vj(door.array(f))
    transform = (X * (-2 * np.pi * 1j * P * F).exp()).sum(0)
    close(transform, (x[:, None] * np.exp(-2j * np.pi * p[:, None] * f)).sum(0))
    close((X * (-2 * np.pi * P * F).exp1j()).sum(0), transform)


def test_arguments_may_be_complex(door, numbers, close):
    z, w, _ = numbers
    Z = door.LazyTensor((0, 2 * D, 0), is_complex=True)
    assert isinstance(Z, door.ComplexLazyTensor)
    reduced = (Z * door.Vj(door.array(w))).sum_reduction(axis=1)
    pairs = np.stack([z.real, z.imag], -1).reshape(M, 2 * D)
    close(reduced(door.array(pairs)), z * w.sum(0))
    with pytest.raises(ArgumentError, match="pairs of coordinates, got dim 3"):
        door.LazyTensor((0, 3, 0), is_complex=True)
    assert door.LazyTensor(door.array(z.real), 0, is_complex=True).is_complex


def test_products_with_the_adjoint(lazy, door, rng, close):
    Z, W, _, z, w, _ = lazy
    K, dense = Z[0] * W[0], (z * w)[..., 0]
    rows, columns = (rng.normal(size=size) + 1j * rng.normal(size=size) for size in (M, N))
    close(K.matvec(door.array(columns)), dense @ columns)
    close(K.rmatvec(door.array(rows)), dense.conj().T @ rows)  # as SciPy means it
    close((K @ K.T).rmatvec(door.array(rows)), (dense @ dense.T).conj().T @ rows)
    close((K.T @ door.array(rows)), dense.T @ rows)
    close(Z.concat(W).dense(), np.concatenate(np.broadcast_arrays(z, w), -1))


def test_what_complex_numbers_have_not_is_refused(lazy):
    Z, W, R, *_ = lazy
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        with pytest.raises(ArgumentTypeError, match="are not compared"):
            compare(Z, W)
        with pytest.raises(ArgumentTypeError, match="are not compared"):
            compare(R, W)
    for name in ("min", "logsumexp", "argmax"):
        with pytest.raises(ArgumentTypeError, match="only Sum is"):
            getattr(Z, name)(dim=1)
    with pytest.raises(ArgumentTypeError, match="Max is not defined for complex"):
        Z.max()
    with pytest.raises(ArgumentTypeError, match="sqdist is not defined for complex numbers"):
        R.sqdist(Z)
