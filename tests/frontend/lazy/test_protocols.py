"""Functions of NumPy and PyTorch applied to lazy tensors."""

from __future__ import annotations

import numpy as np
import pytest

M, N, D = 3, 4, 2
ONE = (
    "exp log sqrt square sin cos arcsin arccos arctan tanh absolute sign floor negative reciprocal"
)
TWO = (
    "add subtract multiply divide power arctan2 maximum minimum remainder less equal greater_equal"
)


@pytest.fixture
def arrays(rng):
    return rng.uniform(0.1, 0.9, (M, D)), rng.uniform(0.1, 0.9, (N, D))


@pytest.fixture
def lazy(door, arrays):
    x, y = arrays
    return door.Vi(door.array(x)), door.Vj(door.array(y)), x[:, None], y[None]


@pytest.mark.parametrize("name", ONE.split())
def test_numpy_functions_of_one_lazy_tensor(name, lazy, close):
    X, Y, x, y = lazy
    close(getattr(np, name)(X * Y).dense(), getattr(np, name)(x * y))


@pytest.mark.parametrize("name", TWO.split())
def test_numpy_functions_of_two(name, lazy, close):
    X, Y, x, y = lazy
    function = getattr(np, name)
    close(function(X, Y).dense(), function(x, y) * 1.0)
    close(function(X, 0.5).dense()[:, 0], function(x, 0.5)[:, 0] * 1.0)
    close(function(np.float64(0.5), X).dense()[:, 0], function(0.5, x)[:, 0] * 1.0)


def test_other_numpy_functions(lazy, close):
    X, Y, x, y = lazy
    x_, y_ = np.broadcast_arrays(x, y)
    close(np.where(X < Y, X, 2.0).dense(), np.where(x < y, x, 2.0))
    close(np.where(X < Y, 2.0, Y).dense(), np.where(x < y, 2.0, y))
    close(np.concatenate([X, Y], axis=-1).dense(), np.concatenate([x_, y_], -1))
    close(np.sum(X * Y, axis=1), (x * y).sum(1))
    close(np.sinc(X * Y).dense(), np.sinc(x * y))
    for function in (np.max, np.amin, np.min, np.amax):
        close(function(X * Y, axis=1), function(x * y, axis=1))
    for function in (np.argmax, np.argmin):
        np.testing.assert_array_equal(function(X * Y, axis=1), function(x * y, axis=1))
    close(np.clip(X * Y, 0.2, 0.5).dense(), np.clip(x * y, 0.2, 0.5))
    close(np.clip(X * Y, a_min=0.2, a_max=None).dense(), np.clip(x * y, 0.2, None))
    close(np.clip(X * Y, None, 0.5).dense(), np.clip(x * y, None, 0.5))


def test_what_numpy_cannot_ask_of_it(lazy):
    X, Y, *_ = lazy
    for ask in (
        lambda: np.gcd(X, Y),
        lambda: np.add(X, Y, dtype=float),
        lambda: np.add.reduce(X),
        lambda: np.linalg.inv(X),
        lambda: np.linalg.norm(X),
        lambda: np.sum(X),
        lambda: np.mean(X),
        lambda: np.max(X),
        lambda: np.clip(X, None, None),
        lambda: np.linspace(X, Y),
    ):
        with pytest.raises(TypeError):
            ask()


TORCH_ONE = (
    "exp log sqrt rsqrt square sin cos asin acos atan tanh abs sign floor neg relu reciprocal"
)
TORCH_TWO = "add sub mul div pow atan2 maximum minimum remainder lt le gt ge eq ne true_divide"


@pytest.fixture
def torch_lazy(arrays):
    torch = pytest.importorskip("torch")
    door = pytest.importorskip("jaxkeops.torch")
    x, y = map(torch.from_numpy, arrays)
    return torch, door, door.Vi(x), door.Vj(y), x[:, None], y[None]


@pytest.mark.parametrize("name", TORCH_ONE.split())
def test_torch_functions_of_one_lazy_tensor(name, torch_lazy, close):
    torch, _, X, Y, x, y = torch_lazy
    close(getattr(torch, name)(X * Y).dense(), getattr(torch, name)(x * y).numpy())


@pytest.mark.parametrize("name", TORCH_TWO.split())
def test_torch_functions_of_two(name, torch_lazy, close):
    torch, _, X, Y, x, y = torch_lazy
    function = getattr(torch, name)
    close(function(X, Y).dense(), function(x, y).numpy() * 1.0)
    close(function(X, y).dense(), function(x, y).numpy() * 1.0)
    close(function(x, Y).dense(), function(x, y).numpy() * 1.0)


def test_other_torch_functions(torch_lazy, close):
    torch, door, X, Y, x, y = torch_lazy
    close(torch.where(X < Y, X, 2.0).dense(), torch.where(x < y, x, 2.0).numpy())
    close(torch.clamp(X * Y, 0.2, 0.5).dense(), torch.clamp(x * y, 0.2, 0.5).numpy())
    close(torch.clamp(X * Y, min=0.2).dense(), torch.clamp(x * y, min=0.2).numpy())
    close(torch.clip(X * Y, max=0.5).dense(), torch.clip(x * y, max=0.5).numpy())
    for function in (torch.amax, torch.amin):
        close(function(X * Y, dim=1), function(x * y, dim=1).numpy())
    for function in (torch.argmax, torch.argmin):
        expected = function(x * y, dim=1).numpy()
        np.testing.assert_array_equal(function(X * Y, dim=1), expected)
    close(torch.logsumexp(X * Y, dim=1), torch.logsumexp(x * y, 1).numpy())
    close(torch.sum(X * Y, dim=0), (x * y).sum(0).numpy())
    close(torch.matmul((X * Y).sum(-1), torch.ones(N, dtype=x.dtype)), (x * y).sum((1, 2)).numpy())
    close(x[:, 0, 0] @ (X | Y), (x[:, 0, 0] @ (x * y).sum(-1)).numpy())
    joined = torch.cat((X, Y), dim=-1)
    assert isinstance(joined, door.LazyTensor)
    scale = torch.tensor(0.5)
    close((scale * X).dense()[:, 0], 0.5 * x[:, 0].numpy())
    close((torch.tensor(2) * X).dense()[:, 0], 2 * x[:, 0].numpy())


def test_a_lazy_tensor_is_no_tensor(torch_lazy):
    torch, door, X, *_ = torch_lazy
    assert isinstance(X, door.LazyTensor)
    assert not isinstance(X, torch.Tensor)
    assert not torch.is_tensor(X)
    for make in (torch.as_tensor, torch.tensor):
        with pytest.raises((TypeError, RuntimeError, ValueError)):
            make(X)
    for ask in (lambda: torch.linalg.inv(X), lambda: torch.sum(X), lambda: torch.max(X, 1)):
        with pytest.raises(TypeError):
            ask()


def test_jax_functions_refuse_it(arrays):
    jax = pytest.importorskip("jax")
    door = pytest.importorskip("jaxkeops.jax")
    X = door.Vi(arrays[0].astype("float32"))
    with pytest.raises(TypeError):
        jax.numpy.exp(X)
    assert isinstance(np.exp(X), door.LazyTensor)
