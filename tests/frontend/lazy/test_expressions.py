"""What lazy tensors are made of, say of themselves, combine to, and refuse."""

from __future__ import annotations

import copy
import math
import operator
import pickle

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError, FormulaError, TruthWarning

M, N, D = 4, 5, 3


@pytest.fixture
def x(rng):
    return rng.uniform(0.5, 1.5, (M, D))


@pytest.fixture
def y(rng):
    return rng.uniform(0.5, 1.5, (N, D))


@pytest.fixture
def both(door, x, y):
    """Rows i and rows j, lazy, then the same on all pairs."""
    return door.Vi(door.array(x)), door.Vj(door.array(y)), x[:, None], y[None]


def test_the_shape_of_an_array_says_its_axis(door, x, y):
    made = [
        (door.LazyTensor(door.array(x[:, None])), (M, 1, D), 0),
        (door.LazyTensor(door.array(y[None])), (1, N, D), 1),
        (door.LazyTensor(door.array(x[None, :1])), (1, 1, D), 2),
        (door.LazyTensor(door.array(x[:, None][None, None])), (1, 1, M, 1, D), 0),
        (door.LazyTensor(door.array(x[0])), (1, 1, D), 2),
        (door.LazyTensor(door.array(x), axis=0), (M, 1, D), 0),
        (door.LazyTensor(door.array(x), 1), (1, M, D), 1),
        (door.LazyTensor(door.array(x[:1]), axis=2), (1, 1, D), 2),
        (door.LazyTensor(2.5), (1, 1, 1), 2),
        (door.LazyTensor([1.0, 2.0]), (1, 1, 2), 2),
        (door.LazyTensor((0, 3, 1)), (1, 1, 3), 1),
        (door.Vi(door.array(x[:1])), (1, 1, D), 0),
        (door.Pm(0.5), (1, 1, 1), 2),
        (door.Vj(1, 4), (1, 1, 4), 1),
    ]
    for tensor, shape, axis in made:
        assert tensor._shape == shape
        assert tensor.axis == axis
        assert isinstance(tensor, door.LazyTensor)


def test_what_a_lazy_tensor_says_of_itself(door, x, y):
    lazy = door.Vi(door.array(x, "float32")) - door.Vj(door.array(y, "float32"))
    assert (lazy.shape, lazy._shape, lazy.ndim, lazy.dim()) == ((M, N, D), (M, N, D), D, 3)
    assert (lazy.ni, lazy.nj, lazy.batchdims, lazy.nbatchdims) == (M, N, None, 0)
    assert (lazy.dtype, lazy.ranges, lazy.backend, lazy.axis) == ("float32", None, None, None)
    assert len(lazy.variables) == 2
    assert lazy.sum().shape == (M, N)
    assert (lazy.T.shape, lazy.t().ni) == ((N, M, D), N)
    assert door.LazyTensor(1.5).dtype is None
    assert repr(lazy).startswith(f"LazyTensor of shape ({M}, {N}, {D}), float32\n    v0 = i 3")
    assert "argument 1: j, dim 2" in repr(door.Vj(1, 2))
    assert lazy.formula.endswith("t0 = Subtract(v0, v1)\nreturn t0\n"[:-1])


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("apply", BINARY + COMPARISONS, ids=lambda f: f.__name__)
def test_operators_take_numbers_and_arrays_on_both_sides(apply, both, door, close):
    X, Y, a, b = both
    close(apply(X, Y).dense(), apply(a, b) * 1.0)
    for number in (2, 0.7, np.float64(0.7), np.float32(0.5), np.int64(3), True * 1):
        close(apply(X, number).dense()[:, 0], apply(a, number)[:, 0] * 1.0)
        close(apply(number, X).dense()[:, 0], apply(number, a)[:, 0] * 1.0)
    row = np.array([0.5, 1.5, 2.5])
    for given in (row, row[None, None], row[:1], row[0]):
        close(apply(X, door.array(given)).dense()[:, 0], apply(a, given)[:, 0] * 1.0)
        if np.ndim(given) or door.name != "jax":
            close(apply(door.array(given), X).dense()[:, 0], apply(given, a)[:, 0] * 1.0)
    close(apply(X, [0.5, 1.5, 2.5]).dense()[:, 0], apply(a, row)[:, 0] * 1.0)
    close(apply(X, door.array(b)).dense(), apply(a, b) * 1.0)
    close(apply(door.array(a), Y).dense(), apply(a, b) * 1.0)


def test_other_operators(both, close):
    X, Y, a, b = both
    close((X | Y).dense(), (a * b).sum(-1))
    close((-X).dense(), -a)
    close((+X).dense(), a)
    close(abs(X - Y).dense(), abs(a - b))
    close((X % 0.3).dense(), np.mod(a, 0.3))
    for exponent in (2, 3, -1, 0, 1, 0.5, -0.5, 2.0, 1.5, -0.3):
        close((X**exponent).dense(), a**exponent)
        close(X.power(exponent).dense(), a**exponent)
    close(sum([X, Y, X]).dense(), a + b + a)
    close((math.sqrt(3) * X / 3).dense(), math.sqrt(3) * a / 3)
    close((0 * X + 1 - X * 1).dense(), 1 - a)


def test_one_array_is_one_input(door, x, y):
    array, other = door.array(x), door.array(y)
    X, Y = door.Vi(array), door.Vj(other)
    assert len(((X - Y) * door.Vi(array) + X).variables) == 2
    assert len((X * door.Vi(door.array(x + 1))).variables) == 2
    assert len((door.Vi(array) - door.Vj(array)).variables) == 2


def test_coordinates_are_indexed(both, close):
    X, _, a, _ = both
    close(X[1].dense()[:, 0], a[:, 0, 1])
    close(X[-1].dense()[:, 0], a[:, 0, -1])
    close(X[1:].dense(), a[..., 1:])
    close(X[:2].dense(), a[..., :2])
    close(X[:, :, 1].dense(), a[..., 1])
    close(X[:, :, :-1].dense(), a[..., :-1])
    assert X[:].formula == X.formula
    for key, fault in [
        (3, "asks for coordinate 3, and there are 0 to 2"),
        (slice(0, 3, 2), "a slice has step 1"),
        (slice(2, 2), "holds at least one"),
        ((0, 0, 0, 0), r"is indexed by \[k\]"),
    ]:
        with pytest.raises(ArgumentError, match=fault):
            X[key]
    with pytest.raises(ArgumentTypeError, match="an integer or a slice, got list"):
        X[[0, 1]]


def test_coordinates_are_joined(both, door, close):
    X, Y, a, b = both
    a, b = np.broadcast_arrays(a, b)
    joined = np.concatenate([a, b, a], -1)
    close(door.LazyTensor.cat((X, Y, X), dim=-1).dense(), joined)
    close(door.LazyTensor.concatenate((X, Y, X), axis=2).dense(), joined)
    close(X.concat(Y).concat(X).dense(), joined)
    with pytest.raises(ArgumentError, match="along their coordinates"):
        door.LazyTensor.cat((X, Y), dim=0)
    with pytest.raises(ArgumentTypeError, match="takes a tuple of LazyTensors"):
        door.LazyTensor.concatenate(X)


def test_operands_that_disagree_are_named(door, x, y):
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(y))
    with pytest.raises(ArgumentError, match=r"-: axis i has 4 rows in one and 5(.|\n)*\(5, 1, 3\)"):
        X - door.Vi(door.array(y))
    with pytest.raises(
        FormulaError, match=r"Got dimensions 3 and 2(.|\n)*\(4, 1, 3\) and \(1, 5, 2\)"
    ):
        X * door.Vj(door.array(y[:, :2]))
    with pytest.raises(ArgumentError, match=r"float64 and float32\. Convert one"):
        X + door.Vj(door.array(y, "float32"))
    with pytest.raises(ArgumentError, match=r"batch axes are \(2,\) and \(3,\)"):
        door.LazyTensor(door.array(np.stack([x[:, None]] * 2))) + door.LazyTensor(
            door.array(np.stack([y[None]] * 3))
        )
    with pytest.raises(ArgumentError, match="say whose rows they are, with Vi"):
        X + door.array(x)
    one, other = X + 1, Y + 1
    one.backend, other.backend = "CPU", "auto"
    with pytest.raises(ArgumentError, match="each their own backend"):
        one * other


def test_what_is_no_lazy_tensor_is_refused(door, x):
    for given, fault in [
        (x, "say whose rows"),
        (np.zeros((3, 4, 2)), "M or N is 1"),
        (np.zeros((3, 0)), "at least one coordinate"),
        (np.arange(3), "has dtype int"),
        ([], "has at least one"),
        ((0, 0, 0), r"A triple is \(index, dim, axis\)"),
        ((0, 1, 3), "A triple is"),
    ]:
        array = door.array(given) if isinstance(given, np.ndarray) else given
        with pytest.raises(ArgumentError, match=fault):
            door.LazyTensor(array)
    for given in ("x", None, True, [True], object(), {}):
        with pytest.raises(ArgumentTypeError, match=r"is made of a|list of numbers"):
            door.LazyTensor(given)
    for axis, fault in [(3, "axis is 0"), (True, "axis is 0"), (0, "Reshape it to")]:
        with pytest.raises(ArgumentError, match=fault):
            door.LazyTensor(door.array(x[0]), axis)
    with pytest.raises(ArgumentError, match="With axis=0 give an array of two axes"):
        door.LazyTensor(door.array(x[:, None]), axis=0)
    with pytest.raises(ArgumentTypeError, match="two integers"):
        door.Vi(0.5, 3)
    with pytest.raises(TypeError):
        door.LazyTensor(2.0) + "x"


def test_it_is_nothing_that_it_could_become_silently(both):
    X, Y, *_ = both
    with pytest.raises(TypeError, match="cannot be made into an array"):
        np.asarray(X - Y)
    with pytest.raises(TypeError):
        list(X)
    with pytest.raises(TypeError):
        hash(X)
    with pytest.raises(TypeError):
        len(X)


def test_it_counts_as_true_and_says_so(both):
    X, Y, *_ = both
    with pytest.warns(TruthWarning, match="counts as true whatever they are"):
        assert X == Y


def test_lazy_tensors_of_two_doors_do_not_mix(numpy_door, x):
    torch = pytest.importorskip("torch")
    door = pytest.importorskip("jaxkeops.torch")
    with pytest.raises(ArgumentTypeError, match="of two doors do not mix"):
        numpy_door.Vi(x) + door.Vi(torch.from_numpy(x))
    with pytest.raises(ArgumentTypeError, match="LazyTensor of the door of its library"):
        numpy_door.LazyTensor(torch.from_numpy(x))


def test_it_is_copied_and_pickled(both, close):
    X, Y, a, b = both
    lazy = (X - Y * 0.5).exp()
    lazy.backend = "CPU"
    for again in (pickle.loads(pickle.dumps(lazy)), copy.deepcopy(lazy), copy.copy(lazy)):
        close(again.dense(), np.exp(a - b * 0.5))
        assert (again.backend, type(again)) == ("CPU", type(lazy))


def test_the_same_expression_of_other_arrays_is_the_same_formula(door, x, y):
    def made():
        return (-((door.Vi(door.array(x)) - door.Vj(door.array(y))) ** 2).sum() / 0.3).exp()

    assert made()._node is made()._node


def test_numbers_that_change_compile_nothing_new(door, x, y):
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(y))
    made = {((X - Y * scale) ** (scale + 1)).sum()._node for scale in (0.1, 0.2, 0.3)}
    assert len(made) == 1


def test_the_doors_have_the_same_names(door, numpy_door):
    names = set(door.module.__all__) - {"EXPORT_CHECKS", "reduce_pairs"}  # what only JAX has
    assert names == set(numpy_door.module.__all__)
    assert all(hasattr(door.module, name) for name in names)
