"""The NumPy door: results against dense float64, sizes at the edges, layouts, options, refusals."""

from __future__ import annotations

import pickle

import fresh
import numpy as np
import pytest
from oracle import evaluate

from jaxkeops.errors import (
    ArgumentError,
    ArgumentTypeError,
    FormulaError,
    FormulaSyntaxError,
    JaxKeopsError,
    NoBackendError,
    UnknownNameError,
)
from jaxkeops.formula import read_formulas
from jaxkeops.frontend.genred import Declared
from jaxkeops.numpy import Genred

FORMULA = "Exp(-G * SqDist(X,Y)) * B"
ALIASES = ["G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "B = Vj(2)"]
TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def sample(rng, M, N, dtype, batch=()):
    gamma = np.array([0.7], dtype)
    x, y, b = (rng.normal(size=(*batch, *size)).astype(dtype) for size in ((M, 3), (N, 3), (N, 2)))
    return gamma, x, y, b


def dense(gamma, x, y, b):
    """(M, N) terms of each column, in float64."""
    gamma, x, y, b = (array.astype(np.float64) for array in (gamma, x, y, b))
    squared = ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)
    return np.exp(-gamma * squared)[..., None] * b[..., None, :, :]


def close(result, expected, dtype):
    scale = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE[dtype] * max(scale, 1e-30))
    assert result.dtype == dtype


# Around one vector, one tile of rows, and one tile of columns.
@dtypes
@pytest.mark.parametrize("M", [0, 1, 7, 8, 15, 16, 17, 33, 1000])
@pytest.mark.parametrize("N", [0, 1, 31, 255, 256, 257])
def test_any_number_of_rows_and_columns(M, N, dtype, rng):
    arrays = sample(rng, M, N, dtype)
    terms = dense(*arrays)
    result = Genred(FORMULA, ALIASES, "Sum", axis=1)(*arrays)
    assert result.shape == (M, 2)
    if M:
        close(result, terms.sum(-2), dtype)


@dtypes
def test_axis_0_is_the_default_and_reduces_over_i(dtype, rng):
    arrays = sample(rng, 70, 90, dtype)
    result = Genred(FORMULA, ALIASES)(*arrays)
    close(result, dense(*arrays).sum(-3), dtype)


@dtypes
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reduction", ["Min", "Max", "ArgMin", "ArgMax", "Min_ArgMin", "MaxArgMax"])
def test_extrema_and_where_they_are(reduction, axis, dtype, rng):
    arrays = sample(rng, 70, 290, dtype)
    terms = dense(*arrays)
    along = -2 if axis == 1 else -3
    result = Genred(FORMULA, ALIASES, reduction, axis=axis)(*arrays)
    values, indices = (
        result
        if isinstance(result, tuple)
        else (result, None if "Arg" not in reduction else result)
    )
    least = reduction.startswith("Min") or reduction == "ArgMin"
    if not reduction.startswith("Arg"):
        close(values, terms.min(along) if least else terms.max(along), dtype)
    if indices is not None:
        assert indices.dtype == np.int64
        found = np.take_along_axis(terms, np.expand_dims(indices, along), along).squeeze(along)
        close(found.astype(dtype), terms.min(along) if least else terms.max(along), dtype)


@dtypes
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e5])
def test_logsumexp_at_any_scale(scale, dtype, rng):
    x, y = (rng.normal(size=(n, 2)).astype(dtype) for n in (40, 700))
    s = np.array([scale], dtype)
    f = -(s * ((x[:, None].astype("f8") - y[None].astype("f8")) ** 2).sum(-1))
    top = f.max(1, keepdims=True)
    expected = top + np.log(np.exp(f - top).sum(1, keepdims=True))
    aliases = ["s = Pm(1)", "x = Vi(2)", "y = Vj(2)"]
    result = Genred("-(s * SqDist(x, y))", aliases, "LogSumExp", axis=1)(s, x, y)
    largest = max(np.abs(f).max(), np.abs(expected).max())
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE[dtype] * largest)


@dtypes
def test_logsumexp_of_infinities(dtype):
    x = np.zeros((3, 1), dtype)
    logsumexp = Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], "LogSumExp", axis=1)
    inf = np.inf
    for column, expected in (
        ([-inf, -inf], -inf),
        ([-inf, 1.0], 1.0),
        ([inf, 1.0], inf),
        ([inf, inf], inf),
        ([np.nan, 1.0], np.nan),
        ([-1e30, -1e30], -1e30),
        ([], -inf),
    ):
        y = np.array(column, dtype).reshape(-1, 1)
        np.testing.assert_allclose(logsumexp(x, y), np.full((3, 1), expected), rtol=1e-6)


@dtypes
def test_a_late_greatest_exponent_does_not_overflow(dtype, rng):
    x = np.zeros((1, 1), dtype)
    y = np.linspace(-3000, 3000, 5000).astype(dtype)[:, None]
    result = Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], "LogSumExp", axis=1)(x, y)
    wide = y.astype(np.float64)
    np.testing.assert_allclose(result, 3000 + np.log(np.exp(wide - 3000).sum()), rtol=1e-6)


def test_ties_go_to_the_first_and_nan_is_passed_over():
    aliases = ["x = Vi(1)", "y = Vj(1)"]
    x = np.zeros((2, 1))
    y = np.array([5.0, np.nan, 1.0, 1.0, 7.0, 7.0])[:, None]
    value, index = Genred("x + y", aliases, "Min_ArgMin", axis=1)(x, y)
    assert (value[0, 0], index[0, 0]) == (1.0, 2)
    value, index = Genred("x + y", aliases, "Max_ArgMax", axis=1)(x, y)
    assert (value[0, 0], index[0, 0]) == (7.0, 4)
    value, index = Genred("x + y", aliases, "Min_ArgMin", axis=1)(x, np.full((3, 1), np.nan))
    assert (value[0, 0], index[0, 0]) == (np.inf, 0)


def test_reductions_of_nothing_are_neutral():
    x, y = np.zeros((2, 1)), np.zeros((0, 1))
    for reduction, expected in (
        ("Sum", 0.0),
        ("LogSumExp", -np.inf),
        ("Min", np.inf),
        ("Max", -np.inf),
        ("ArgMin", 0),
        ("ArgMax", 0),
    ):
        result = Genred("x / y", ["x = Vi(1)", "y = Vj(1)"], reduction, axis=1)(x, y)
        np.testing.assert_array_equal(result, np.full((2, 1), expected))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("formula", "sign"),
    [
        ("Inv(y - x)", 1),
        ("Inv(x - y)", 1),
        ("w / (y - x)", -1),
        ("Inv(-(y - x))", -1),
        ("Inv(Sin(-(y - x)))", -1),
        ("Pow(-(y - x), -3)", -1),
        ("w / Expm1(-(x - y))", 1),
    ],
)
def test_division_by_zero_has_the_sign_of_the_formula(formula, sign, axis, rng):
    """A row that equals a column: their difference is 0, and -0 only where it is negated."""
    reduce = Genred(formula, ["x = Vi(1)", "y = Vj(1)", "w = Pm(1)"], axis=axis)
    for M in (3, 40):
        x = rng.permutation(M).reshape(M, 1).astype(float)
        found = reduce(x, x.copy(), np.array([-1.0]))
        np.testing.assert_array_equal(found, np.full((M, 1), sign * np.inf))


@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp"])
@pytest.mark.parametrize(
    "formula",
    ["0*x", "x*0.0 + y", "x - x", "0/x", "Sum(0*x)", "(Zero(2)|x)", "SqDist(x,x)", "0*Exp(x)"],
)
def test_zero_times_what_is_not_finite_is_not_a_number(formula, reduction):
    aliases = ["x = Vi(2)", "y = Vj(2)"]
    x = np.array([[1.0, 2.0], [np.nan, 1.0], [-np.inf, 3.0], [0.0, np.inf]])
    (node,), variables = read_formulas([formula], aliases)
    expected = evaluate(node, {0: x, 1: np.ones((1, 2))}, variables)[:, 0]
    found = Genred(formula, aliases, reduction, axis=1)(x, np.ones((1, 2)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Atan2(y - x, w)", np.pi),
        ("Atan2(-(y - x), w)", -np.pi),
        ("Atan2(x - x * y, -(x - y))", np.pi),
    ],
)
def test_the_angle_of_a_zero_has_the_sign_of_the_formula(formula, expected):
    one = np.ones((1, 1))
    found = Genred(formula, ["x = Vi(1)", "y = Vj(1)", "w = Pm(1)"], axis=1)(one, one, -one[0])
    np.testing.assert_allclose(found, [[expected]], rtol=1e-15)


@dtypes
def test_sums_of_a_million_terms_keep_their_digits(dtype, rng):
    x, y = (rng.uniform(size=(n, 1)).astype(dtype) for n in (16, 1_000_000))
    result = Genred("Exp(-Square(x - y))", ["x = Vi(1)", "y = Vj(1)"], "Sum", axis=1)(x, y)
    wide = np.exp(-((x.astype("f8") - y.astype("f8").T) ** 2)).sum(1, keepdims=True)
    np.testing.assert_allclose(result, wide, rtol={"float32": 2.5e-7, "float64": 1e-14}[dtype])


def test_formulas_of_rows_columns_or_parameters_alone(rng):
    x, y, p = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), rng.normal(size=3)
    only_i = Genred("Square(x)", ["x = Vi(3)"], axis=1)
    np.testing.assert_allclose(only_i(x), x * x)
    np.testing.assert_allclose(Genred("Square(x)", ["x = Vi(3)"], axis=0)(x), [(x * x).sum(0)])
    np.testing.assert_allclose(Genred("Square(y)", ["y = Vj(3)"], axis=1)(y), [(y * y).sum(0)])
    np.testing.assert_allclose(Genred("Square(p)", ["p = Pm(3)"], axis=1)(p), [p * p])
    aliases = ["x = Vi(3)", "y = Vj(3)"]
    np.testing.assert_allclose(Genred("Square(x)", aliases, axis=1)(x, y), 7 * x * x)
    np.testing.assert_allclose(
        Genred("Exp(y)", aliases, axis=1)(x, y), np.repeat([np.exp(y).sum(0)], 5, 0)
    )


@dtypes
def test_layouts_of_memory_do_not_matter(dtype, rng):
    gamma, x, y, b = sample(rng, 40, 60, dtype)
    reduce = Genred(FORMULA, ALIASES, axis=1)
    expected = reduce(gamma, x, y, b)
    for other in (
        np.asfortranarray(x),
        np.repeat(x, 2, 0)[::2],
        np.repeat(x, 2, 1)[:, ::2],
        x[::-1].copy()[::-1],
        x[:, ::-1].copy()[:, ::-1],
        np.frombuffer(b"0" + x.tobytes(), np.uint8)[1:].view(dtype).reshape(x.shape),
    ):
        np.testing.assert_array_equal(reduce(gamma, other, y, b), expected)
    x.flags.writeable = False
    np.testing.assert_array_equal(reduce(gamma, x, y, b), expected)


@dtypes
def test_batches_broadcast(dtype, rng):
    gamma, x, y, b = sample(rng, 5, 300, dtype, batch=(2, 3))
    gamma = np.abs(rng.normal(size=(2, 1, 1))).astype(dtype)
    x, b = x[:1], b[:, :1]
    result = Genred(FORMULA, ALIASES, axis=1)(gamma, x, y, b)
    terms = dense(gamma[..., None], x, y, b)
    close(result, terms.sum(-2), dtype)


def test_column_values_follow_the_batch_of_their_arrays(rng):
    x, y, p = rng.normal(size=(4, 5, 1)), rng.normal(size=(1, 90, 1)), rng.normal(size=(4, 1))
    aliases = ["x = Vi(1)", "y = Vj(1)", "p = Pm(1)"]
    result = Genred("x * Exp(p * y)", aliases, axis=1)(x, y, p)
    expected = x * np.exp(p[:, None] * y).sum(-2, keepdims=True)
    np.testing.assert_allclose(result, expected, rtol=1e-13)


def test_out_takes_the_result(rng):
    arrays = sample(rng, 5, 6, "float64")
    reduce = Genred(FORMULA, ALIASES, axis=1)
    out = np.empty((5, 2))
    assert reduce(*arrays, out=out) is out
    np.testing.assert_array_equal(out, reduce(*arrays))
    with pytest.raises(ArgumentError, match=r"out must have shape \(5, 2\)"):
        reduce(*arrays, out=np.empty((5, 3)))
    with pytest.raises(ArgumentError, match="dtype float32"):
        reduce(*arrays, out=np.empty((5, 2), np.float32))
    with pytest.raises(ArgumentError, match="contiguous"):
        reduce(*arrays, out=np.empty((2, 5)).T)


def test_a_reduction_can_be_pickled(rng):
    arrays = sample(rng, 5, 6, "float64")
    reduce = Genred(FORMULA, tuple(ALIASES), axis=1)
    again = pickle.loads(pickle.dumps(reduce))
    np.testing.assert_array_equal(again(*arrays), reduce(*arrays))
    assert pickle.loads(pickle.dumps(reduce)).formula == reduce.formula


def test_attributes_are_those_users_read():
    reduce = Genred(FORMULA, ALIASES, axis=1)
    assert reduce.formula == f"Sum_Reduction({FORMULA},0)"
    assert reduce.aliases == ALIASES
    assert (reduce.nargs, reduce.axis, reduce.reduction_op, reduce.opt_arg) == (4, 1, "Sum", None)
    assert reduce.optional_flags["dtype_acc"] == "auto"


def test_implicit_variables_are_arguments(rng):
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    result = Genred("SqDist(x, Var(1,2,1))", ["x = Vi(2)"], axis=1)(x, y)
    np.testing.assert_allclose(result[:, 0], ((x[:, None] - y) ** 2).sum((1, 2)))


def test_gradients_are_formulas(rng):
    gamma, x, y, b = sample(rng, 6, 9, "float64")
    e = rng.normal(size=(6, 2))
    reduce = Genred(f"Grad({FORMULA}, Y, E)", [*ALIASES, "E = Vi(2)"], axis=0)
    kernel = dense(gamma, x, y, np.ones_like(b))[..., 0]
    weights = kernel * (e @ b.T)
    expected = 2 * gamma * (weights[..., None] * (x[:, None] - y[None])).sum(0)
    np.testing.assert_allclose(reduce(gamma, x, y, b, e), expected, rtol=1e-12)


def test_stages_print_as_text():
    stages = Genred(FORMULA, ALIASES, axis=1).stages("float32")
    assert "SqDist" in stages.formula
    assert "for each pair:" in stages.program
    assert "define void @rows" in stages.llvm
    assert "rows:" in stages.assembly


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"axis": 2}, ArgumentError, "axis must be 0"),
        ({"axis": -1}, ArgumentError, "axis must be 0"),
        (
            {"reduction_op": "Summ"},
            UnknownNameError,
            "Unknown reduction 'Summ'. Did you mean 'Sum'",
        ),
        ({"formula": "Exp(-Z)"}, UnknownNameError, r"'Z'[\s\S]*Exp\(-Z\)\n {9}\^"),
        ({"formula": "Exp(X"}, FormulaSyntaxError, r"\^"),
        ({"formula": "X + B"}, FormulaError, "dimensions 3 and 2"),
        ({"formula": 3}, ArgumentTypeError, "formula must be a string"),
        ({"formula": "2", "aliases": []}, ArgumentError, "takes no arrays"),
        ({"aliases": None}, ArgumentTypeError, "a list of strings"),
        ({"aliases": "X = Vi(3)"}, JaxKeopsError, "list"),
        (
            {"reduction_op": "SoftMax", "formula2": "B"},
            FormulaError,
            "dimension 1, got one of dimension 2",
        ),
        (
            {"reduction_op": "LogSumExp", "formula2": "B"},
            FormulaError,
            "weights a formula of dimension 1",
        ),
        ({"opt_arg": 3}, TypeError, "takes no opt_arg"),
        ({"formula2": "B"}, TypeError, "takes no weights"),
        (
            {"reduction_op": "SumSoftMaxWeight", "formula": "G"},
            TypeError,
            "needs its weights: give formula2",
        ),
        ({"reduction_op": "KMin"}, TypeError, "needs opt_arg"),
        ({"reduction_op": "KMin", "opt_arg": -1}, FormulaError, "1 or more, got -1"),
        ({"reduction_op": "KMin", "opt_arg": 1.5}, TypeError, "1 or more, got 1.5"),
        ({"sum_scheme": "fast"}, ArgumentError, "sum_scheme must be one of"),
        ({"dtype_acc": "float64", "use_double_acc": True}, ArgumentError, "not both"),
        ({"dtype_acc": "float128"}, ArgumentError, "dtype_acc must be one of"),
        ({"reduction_op": "Min", "use_double_acc": True}, ArgumentError, "does not sum"),
    ],
)
def test_a_wrong_declaration_is_refused(change, error, message):
    given = {"formula": FORMULA, "aliases": ALIASES, "reduction_op": "Sum", "axis": 1} | change
    with pytest.raises(error, match=message):
        Genred(**given)


@pytest.mark.parametrize(
    ("options", "taken", "refused"),
    [
        ({"dtype_acc": "float64"}, "float32", "float16"),
        ({"use_double_acc": True}, "float64", "float16"),
        ({"dtype_acc": "float32"}, "float16", "float64"),
        ({"dtype_acc": "float16"}, "float16", "float32"),
    ],
)
def test_an_accumulator_is_for_some_dtypes(options, taken, refused, rng):
    reduce = Genred(FORMULA, ALIASES, axis=1, sum_scheme="kahan_scheme", **options)
    assert reduce(*sample(rng, 5, 6, taken)).dtype == taken
    with pytest.raises(ArgumentError, match=r"dtype_acc=.* is for data of"):
        reduce(*sample(rng, 5, 6, refused))


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError):
        Genred(FORMULA, ALIASES, backend="CPU")


@pytest.mark.parametrize("warm", [False, True], ids=["first call", "later call"])
def test_wrong_arguments_are_refused(warm, rng):
    reduce = Genred(FORMULA, ALIASES, axis=1)
    gamma, x, y, b = sample(rng, 5, 6, "float32")
    if warm:
        reduce(gamma, x, y, b)
    for args, error, message in (
        ((gamma, x, y), ArgumentError, "takes 4 arrays"),
        ((gamma, x, y, b, b), ArgumentError, "takes 4 arrays"),
        ((gamma, x[:, :2], y, b), ArgumentError, r"X .*takes 3 columns, got 2"),
        ((gamma, x, y, b[:4]), ArgumentError, "Y has 6, B has 4"),
        ((gamma, x[0], y, b), ArgumentError, "X takes an array of shape"),
        ((gamma, x, y.astype("f8"), b), ArgumentError, "G has float32, Y has float64"),
        ((gamma, x.astype(int), y, b), ArgumentError, "X has dtype int64"),
        ((gamma, x.astype("f2"), y, b), ArgumentError, "G has float32, X has float16"),
        ((gamma, x.tolist(), y, b), ArgumentTypeError, "X must be a numpy.ndarray, got list"),
        ((0.5, x, y, b), ArgumentTypeError, "G must be a numpy.ndarray, got float"),
        (
            (gamma, x[None], y.repeat(2, 0).reshape(2, 6, 3), b[None].repeat(3, 0)),
            ArgumentError,
            "Batch axis 0 is 2 long in Y and 3 in B",
        ),
    ):
        with pytest.raises(error, match=message):
            reduce(*args)
    with pytest.raises(ArgumentError, match="backend must be one of"):
        reduce(gamma, x, y, b, backend="TPU")
    with pytest.raises(NoBackendError, match="CUDA"):
        reduce(gamma, x, y, b, backend="GPU_1D")
    with pytest.raises(ArgumentError, match="takes 4 arrays"):
        reduce()


def test_big_endian_arrays_are_refused_or_right(rng):
    gamma, x, y, b = sample(rng, 5, 6, "float64")
    reduce = Genred(FORMULA, ALIASES, axis=1)
    swapped = x.astype(x.dtype.newbyteorder())
    np.testing.assert_array_equal(reduce(gamma, swapped, y, b), reduce(gamma, x, y, b))


def test_importing_the_door_imports_neither_jax_nor_torch():
    code = "import sys, jaxkeops.numpy; print(sorted({'jax', 'torch'} & set(sys.modules)))"
    assert fresh.run(code).strip() == "[]"


def test_a_formula_of_ten_thousand_operations_is_compiled(rng):
    terms = [f"({k + 1}.5 * x - y) * (y + {k}.25)" for k in range(2000)]
    reduce = Genred(" + ".join(terms), ["x = Vi(1)", "y = Vj(1)"], reduction_op="Sum", axis=1)
    x, y = rng.uniform(-1, 1, (5, 1)), rng.uniform(-1, 1, (7, 1))
    k = np.arange(2000)
    expected = [(((k + 1.5) * a - y) * (y + k + 0.25)).sum() for a in x[:, 0]]
    np.testing.assert_allclose(reduce(x, y)[:, 0], expected, rtol=1e-12)


def test_a_reduction_of_a_formula_that_has_no_string(rng):
    x, y = rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
    written = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], "Min", axis=1)
    made = Genred.of(Declared(written._formula, ("x", "y")), 1, {})
    np.testing.assert_array_equal(made(x, y), written(x, y))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made))(x, y), written(x, y))
    with pytest.raises(ArgumentTypeError, match="no option 'fast'"):
        Genred.of(Declared(written._formula, ("x", "y")), 1, {"fast": True})
