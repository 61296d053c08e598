"""The vector math against NumPy and mpmath: errors in ULP, special values, widths, machines.

docs/design/vector-math.md keeps the measured errors; the bounds below are what is promised.
"""

import ctypes
import functools
import itertools
import re

import mpmath
import numpy as np
import pytest

from jaxkeops.backends.llvm.build import assembly, compile_object, load, verify
from jaxkeops.backends.llvm.builder import Module
from jaxkeops.backends.llvm.host import APPLE_M1, NEOVERSE_V1, levels
from jaxkeops.backends.llvm.math import SPELLING

DTYPES = ["float32", "float64"]
WIDTHS = [1, 2, 4, 8, 16]
OPERANDS = {"add": 2, "sub": 2, "mul": 2, "div": 2, "fma": 3, "atan2": 2, "pow": 2} | {
    name: 4 for name in SPELLING if name.startswith("select")
}
BOUNDS = {  # ULP
    "exp": 1.0,
    "exp2": 1.0,
    "log": 1.0,
    "sin": 2.2,
    "cos": 2.2,
    "asin": 2.2,
    "acos": 2.2,
    "atan": 2.2,
    "atan2": 2.2,
    "pow": 2.0,
    "tanh": 2.2,
    "sqrt": 0.5,
    "rsqrt": 2.2,
    "floor": 0.0,
    "round": 0.0,
}
# The entries of a table are rounded, and so is a Horner step without FMA, twice.
BOUNDS_OF_ROUNDED_PARTS = BOUNDS | {"exp": 1.2, "exp2": 1.2}
# Degree 2 after a table of 32 entries.
BOUNDS_OF_LARGE_TABLE = BOUNDS | {"exp": 1.9, "exp2": 1.9}

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_level = pytest.mark.parametrize("level", sorted(levels()))
every_function = pytest.mark.parametrize("name", sorted(BOUNDS))
every_instruction = pytest.mark.parametrize("name", sorted(SPELLING))


def elementwise(name, machine, dtype, width):
    """The text of a loop that applies one instruction to arrays, `width` values at a time."""
    count = OPERANDS.get(name, 1)
    module = Module(machine)
    inputs = [(f"a{k}", "ptr noalias") for k in range(count)]
    b = module.function("apply", [*inputs, ("out", "ptr noalias"), ("n", "i64")]).at(dtype, width)
    with b.loop("0", "%n", str(width)) as loop:
        operands = [b.load(b.address(f"%a{k}", loop.index)) for k in range(count)]
        b.store(SPELLING[name](b, *operands), b.address("%out", loop.index))
    b.ret()
    return module.text()


@functools.cache
def compiled(name, level, dtype, width):
    machine = levels()[level]
    return load(compile_object(elementwise(name, machine, dtype, width), machine), ["apply"])


def apply(name, level, dtype, width, *operands):
    """The instruction applied to 1-D arrays, padded to whole vectors."""
    size = operands[0].size
    padded = [np.resize(operand.astype(dtype), -(-size // 16) * 16) for operand in operands]
    out = np.empty_like(padded[0])
    code = compiled(name, level, dtype, width)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in [*padded, out]]
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers), ctypes.c_int64)
    function(code.addresses["apply"])(*pointers, out.size)
    return out[:size]


def widest(level, dtype):
    return levels()[level].lanes(dtype)


def special_values(dtype):
    """Zeros, infinities, NaN, the ends of the range, and where functions change their course."""
    info = np.finfo(dtype)
    subnormals = [info.tiny / 4, info.smallest_subnormal]
    ends = [info.tiny, info.max, np.inf, np.nan, 1 + info.eps, 1 - info.eps / 2]
    thresholds = {
        "float32": [88.72, 88.73, 87.34, 103.97, 103.98, 127.99999, 128, 126, 149, 149.5, 150.1],
        "float64": [709.78, 709.79, 708.4, 745.13, 745.14, 1023.9999, 1024, 1022, 1074.5, 1075.1],
    }[dtype]
    halves = [0.49999997, 0.5, 1.5, 2.5, 8388607.5, 4503599627370495.5, 2.0**23 + 1, 2.0**52 + 1]
    plain = [0, 0.25, 0.625, 0.75, 1, 2, 3, 10, 20, 1e5, 1e8, 1e14]
    positive = np.array([*plain, *halves, *thresholds, *ends, *subnormals], dtype)
    return np.concatenate([positive, -positive])


def sample(name, dtype, rng, size):
    """Operands over the whole domain of a function, special values included."""
    special = special_values(dtype)
    digits = np.finfo(dtype).maxexp * 0.3

    def signed_powers(low, high):
        return 10 ** rng.uniform(low, high, size) * rng.choice([-1, 1], size)

    if name in ("pow", "atan2"):
        first, second = (array.ravel() for array in np.meshgrid(special, special))
        if name == "atan2":
            ratios = [signed_powers(-5, 5), signed_powers(-5, 5)]
            pairs = [rng.uniform(-5, 5, (2, size)), ratios]
        else:
            # Exponents that bring the result near the ends of the range, and plain ones.
            anywhere, near_one = (
                10 ** rng.uniform(-digits, digits, size),
                rng.uniform(0.6, 1.4, size),
            )
            bases = np.concatenate([anywhere, near_one])
            ends = digits * np.log(10) / np.maximum(np.abs(np.log(bases)), 1e-9)
            pairs = [
                [bases, ends * rng.uniform(-1.02, 1.02, 2 * size)],
                [rng.uniform(0, 10, size), rng.uniform(-10, 10, size)],
                [-rng.uniform(0, 5, size), rng.integers(-20, 20, size)],
            ]
        columns = [np.concatenate(column) for column in zip([first, second], *pairs, strict=True)]
        return [column.astype(dtype) for column in columns]
    values = {
        "exp": [rng.uniform(-1.1, 1.1, size) * digits * 2.3, rng.uniform(-2, 2, size)],
        "exp2": [rng.uniform(-1.1, 1.1, size) * digits * 3.33, rng.uniform(-2, 2, size)],
        "log": [10 ** rng.uniform(-digits, digits, size), rng.uniform(0.4, 2.2, size)],
        "sin": [rng.uniform(-10, 10, size), signed_powers(-8, 14), signed_powers(3, digits)],
        "asin": [rng.uniform(-1, 1, size), signed_powers(-8, 0)],
        "atan": [rng.uniform(-5, 5, size), signed_powers(-20, 20)],
        "tanh": [rng.uniform(-1, 1, size), signed_powers(-8, 1.5)],
        "floor": [rng.uniform(-100, 100, size), signed_powers(0, 17)],
        "sqrt": [10 ** rng.uniform(-digits, digits, size)],
    }
    same = {"cos": "sin", "acos": "asin", "round": "floor", "rsqrt": "sqrt"}
    return [np.concatenate([special, *values[same.get(name, name)]]).astype(dtype)]


def round_away(x):
    whole = np.floor(np.abs(x))
    return np.copysign(whole + (np.abs(x) - whole >= 0.5), x)


NUMPY = {
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "pow": np.power,
    "round": round_away,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


def reference(name, dtype, operands):
    """Exact to a hundredth of an ULP where long doubles have 64 bits or more."""
    wide = np.float64 if dtype == "float32" else np.longdouble
    with np.errstate(all="ignore"):
        return NUMPY.get(name, getattr(np, name, None))(*[x.astype(wide) for x in operands])


def errors_in_ulp(got, exact, dtype):
    """|got - exact| in units of the last place of exact; infinite where a special value differs."""
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        exponent = np.maximum(np.frexp(exact)[1], info.minexp + 1)
        unit = np.ldexp(np.ones_like(exact), exponent - info.nmant - 1)
        error = np.abs(got.astype(exact.dtype) - exact) / unit
    special = ~np.isfinite(rounded) | (rounded == 0)
    same = (got == rounded) & (np.signbit(got) == np.signbit(rounded))
    same |= np.isnan(got) & np.isnan(rounded)
    # A result just below the smallest subnormal may be rounded to it, or to 0.
    same |= (rounded == 0) & (exact != 0) & (error <= 1)
    return np.where(special, np.where(same, 0, np.inf), np.where(np.isnan(error), np.inf, error))


def bound(name, level, dtype):
    machine = levels()[level]
    if machine.scalef and dtype == "float32":
        return BOUNDS_OF_LARGE_TABLE[name]
    return (BOUNDS if machine.fma and not machine.scalef else BOUNDS_OF_ROUNDED_PARTS)[name]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="the oracle needs long doubles")
@every_level
@every_dtype
@every_function
def test_error_is_within_its_bound_on_the_whole_domain(name, dtype, level, rng):
    operands = sample(name, dtype, rng, 1 << 15)
    got = apply(name, level, dtype, widest(level, dtype), *operands)
    error = errors_in_ulp(got, reference(name, dtype, operands), dtype)
    worst = np.argmax(error)
    assert error[worst] <= bound(name, level, dtype), [x[worst] for x in operands]


@every_level
@every_dtype
@pytest.mark.parametrize("name", sorted(set(BOUNDS) - {"floor", "round", "sqrt", "rsqrt"}))
def test_error_is_within_its_bound_by_mpmath(name, dtype, level, rng):
    # Skip the special values, of which mpmath has its own idea.
    skip = special_values(dtype).size ** (2 if name in ("pow", "atan2") else 1)
    operands = [rng.choice(x[skip:], 200) for x in sample(name, dtype, rng, 500)]
    if name in ("pow", "atan2"):
        pairs = np.stack(sample(name, dtype, rng, 500))[:, skip:]
        operands = list(rng.choice(pairs, 200, axis=1))
    if name in ("sin", "cos"):
        # The floats nearest to whole numbers of quarter turns lose the most digits.
        turns = [np.arange(1, 100), 2.0 ** np.arange(7, 40), 3 * 2.0 ** np.arange(7, 40)]
        operands = [np.concatenate([operands[0], np.concatenate(turns) * np.pi / 2]).astype(dtype)]
    function = getattr(mpmath, {"exp2": "exp", "pow": "power"}.get(name, name))
    got = apply(name, level, dtype, widest(level, dtype), *operands)
    info = np.finfo(dtype)
    with mpmath.workprec(200):
        for k, value in enumerate(got):
            exact_operands = [mpmath.mpf(float(x[k])) for x in operands]
            if name == "exp2":
                exact_operands = [exact_operands[0] * mpmath.log(2)]
            exact = function(*exact_operands)
            if not np.isfinite(value) or not info.tiny < abs(exact) < info.max:
                continue
            unit = mpmath.ldexp(1, mpmath.frexp(exact)[1] - info.nmant - 1)
            error = float(abs(mpmath.mpf(float(value)) - exact) / unit)
            assert error <= bound(name, level, dtype), [x[k] for x in operands]


@every_level
@every_dtype
@pytest.mark.parametrize("name", ["exp", "exp2"])
def test_exponentials_are_right_where_a_reduction_might_slip(name, dtype, level, rng):
    # Around the sixteenths of a binade, and where x plus a large constant has lost its fraction.
    sixteenths = np.arange(-1100 * 16, 1100 * 16) / 16 * (np.log(2) if name == "exp" else 1)
    around = [np.nextafter(sixteenths.astype(dtype), side) for side in (-np.inf, np.inf)]
    tiny = np.ldexp(1.0, -np.arange(1, 140))
    large = np.ldexp(rng.uniform(1, 2, (20, 116)), np.arange(11, 127)).ravel()
    ends = [
        np.nextafter(np.ldexp(1.0, np.arange(12, 120)).astype(dtype), side) for side in (0, 9e9)
    ]
    x = np.concatenate(
        [sixteenths, *around, tiny, -tiny, large, -large, *ends, *(-e for e in ends)]
    )
    x = x.astype(dtype)
    error = errors_in_ulp(
        apply(name, level, dtype, widest(level, dtype), x), reference(name, dtype, [x]), dtype
    )
    assert error.max() <= bound(name, level, dtype), x[np.argmax(error)]


@every_level
@every_dtype
def test_whole_powers_of_two_are_exact(dtype, level):
    info = np.finfo(dtype)
    x = np.arange(info.minexp - info.nmant, info.maxexp)
    got = apply("exp2", level, dtype, widest(level, dtype), x)
    np.testing.assert_array_equal(got, np.ldexp(np.ones(x.size, dtype), x))


@every_level
@every_dtype
@every_instruction
def test_every_width_gives_the_same_bits(name, dtype, level, rng):
    special = special_values(dtype)
    count = OPERANDS.get(name, 1)
    operands = [
        np.concatenate([rng.permutation(special), rng.uniform(-3, 3, 500)]) for _ in range(count)
    ]
    first = apply(name, level, dtype, 1, *operands)
    for width in WIDTHS[1:]:
        other = apply(name, level, dtype, width, *operands)
        np.testing.assert_array_equal(np.isnan(other), np.isnan(first))
        numbers = ~np.isnan(first)
        np.testing.assert_array_equal(
            other[numbers].view(np.uint8), first[numbers].view(np.uint8), f"width {width}"
        )


@every_level
@every_dtype
def test_arithmetic_is_that_of_numpy(dtype, level, rng):
    special = special_values(dtype)
    a, b = (x.ravel() for x in np.meshgrid(special, special))
    c = rng.permutation(a)
    with np.errstate(all="ignore"):
        expected = {
            "add": a + b,
            "sub": a - b,
            "mul": a * b,
            "div": a / b,
            "neg": -a,
            "abs": np.abs(a),
            "select_lt": np.where(a < b, c, b),
            "select_le": np.where(a <= b, c, b),
            "select_eq": np.where(a == b, c, b),
        }
    for name, values in expected.items():
        operands = [a, b, c, b][: OPERANDS.get(name, 1)]
        got = apply(name, level, dtype, widest(level, dtype), *operands)
        np.testing.assert_array_equal(got, values, name)
        signed = ~np.isnan(values)
        np.testing.assert_array_equal(np.signbit(got[signed]), np.signbit(values[signed]), name)


@every_dtype
def test_fma_rounds_once_where_the_machine_has_it(dtype):
    eps = np.finfo(dtype).eps
    x = np.array([1 + eps], dtype)
    for level, machine in levels().items():
        got = apply("fma", level, dtype, 1, x, x, -(x * x))
        assert (got[0] == eps * eps) == machine.fma


@functools.cache
def nearest_to_quarter_turns(dtype):
    """Of each binade above 1, the numbers that come nearest to whole numbers of quarter turns.

    For m 2^e they are the denominators, and their multiples, of the continued fraction of
    2^e 2 / pi.
    """
    info = np.finfo(dtype)
    digits = info.nmant + 1
    with mpmath.workprec(1400):
        quarters_per_radian = int(mpmath.ldexp(2 / mpmath.pi, 1300))
    found = []
    for exponent in range(1 - digits, info.maxexp - digits + 1):
        unit = 1 << (1300 + digits)
        rest = (quarters_per_radian << (exponent + digits)) % unit
        before, denominator = 0, 1
        while denominator < 1 << digits:
            scale = max(1, -(-(1 << (digits - 1)) // denominator))
            if scale * denominator < 1 << digits and scale < 64:
                found.append(float(scale * denominator) * 2.0**exponent)
            quotient = unit // rest
            unit, rest = rest, unit % rest
            before, denominator = denominator, quotient * denominator + before
    return np.array(found, dtype)


@functools.cache
def exact_trigonometry(name, dtype):
    """sin or cos of these numbers, by mpmath, in long double."""
    exact = []
    with mpmath.workprec(1300):
        for x in nearest_to_quarter_turns(dtype):
            value = getattr(mpmath, name)(mpmath.mpf(float(x)))
            high = float(value)
            exact.append(np.longdouble(high) + np.longdouble(float(value - high)))
    return np.array(exact)


def test_the_hardest_float64_is_among_the_nearest_to_quarter_turns():
    # Muller, Elementary Functions, 11.
    assert 6381956970095103 * 2.0**797 in nearest_to_quarter_turns("float64")


@every_level
@every_dtype
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_trigonometry_is_right_nearest_to_quarter_turns_in_every_binade(name, dtype, level):
    x = nearest_to_quarter_turns(dtype)
    got = apply(name, level, dtype, widest(level, dtype), x)
    error = errors_in_ulp(got, exact_trigonometry(name, dtype), dtype)
    assert error.max() <= bound(name, level, dtype), x[np.argmax(error)]


@every_level
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_an_angle_just_above_a_power_of_two_is_rounded_once(name, level):
    # Less their quarter turns these are just above 2^-3, 2^-4 or 2^-5: an ULP of the angle is two
    # of its sine.  Found among all float32 below 6500, as the worst of two roundings.
    x = np.array([4505.169, 4577.426, 2228.8975, 4790.8037, 4481.607, 1980.8367, 2158.3367])
    x = np.concatenate([x, [4008.7974, 4814.3657, 1732.6509, 3441.74, 4387.3594]])
    got = apply(name, level, "float32", widest(level, "float32"), x)
    exact = getattr(np, name)(x.astype(np.float32).astype(np.float64))
    assert errors_in_ulp(got, exact, "float32").max() <= bound(name, level, "float32")


@every_level
@every_dtype
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_neighbours_do_not_change_a_sine(name, dtype, level, rng):
    # Every way of the reduction, its limits, and lanes that have no sine.
    limits = np.array([6e3, 1e5, 1e14], dtype)
    sizes = 10 ** rng.uniform(-3, np.log10(np.finfo(dtype).max), 400)
    x = np.concatenate([limits, np.nextafter(limits, np.inf), sizes, -sizes, [np.inf, np.nan]])
    x = x.astype(dtype)
    # Alone among zeros, and shuffled among the others.
    alone = apply(name, level, dtype, 1, x)
    assert np.array_equal(np.isnan(alone), ~np.isfinite(x))
    zeros = np.zeros((x.size, 16), dtype)
    zeros[np.arange(x.size), rng.integers(0, 16, x.size)] = x
    for width in WIDTHS:
        order = rng.permutation(x.size)
        mixed = apply(name, level, dtype, width, x[order])
        np.testing.assert_array_equal(mixed, alone[order], f"width {width}")
        among_zeros = apply(name, level, dtype, width, zeros.ravel()).reshape(zeros.shape)
        np.testing.assert_array_equal(among_zeros[zeros != 0], alone, f"width {width}")


@every_dtype
def test_sin_and_cos_share_their_work_on_a_straight_line_alone(dtype):
    machine = levels()["baseline"]
    module = Module(machine)
    arguments = [("in", "ptr"), ("out", "ptr"), ("n", "i64")]
    b = module.function("apply", arguments).at(dtype, machine.lanes(dtype))
    x = b.load("%in")
    positive = b.compare_int("sgt", "%n", "0", "i64")
    # What an arm writes may not be used after it, nor what one turn of a loop writes by the rest.
    with b.when(positive):
        b.store(SPELLING["sin"](b, x), "%out")
    with b.loop("0", "%n"):
        b.store(SPELLING["sin"](b, x), "%out")
    b.store(SPELLING["sin"](b, x), "%out")
    before = len(b.body.lines)
    other = SPELLING["sin"](b, b.add(x, x))
    alone = len(b.body.lines) - before
    b.store(b.add(other, SPELLING["cos"](b, x)), "%out")
    shared = len(b.body.lines) - before - alone
    b.ret()
    verify(module.text())
    assert shared < alone / 4


@every_level
@every_dtype
def test_pow_of_special_values_is_that_of_c(dtype, level):
    inf, nan = np.inf, np.nan
    table = [
        (nan, 0.0, 1.0),
        (1.0, nan, 1.0),
        (1.0, -inf, 1.0),
        (-1.0, inf, 1.0),
        (-1.0, nan, nan),
        (0.0, -3.0, inf),
        (-0.0, -3.0, -inf),
        (-0.0, 3.0, -0.0),
        (-0.0, 0.5, 0.0),
        (-inf, 3.0, -inf),
        (-inf, 0.5, inf),
        (-inf, -3.0, -0.0),
        (-8.0, 1 / 3, nan),
        (0.5, inf, 0.0),
        (0.5, -inf, inf),
        (2.0, -inf, 0.0),
    ]
    x, y, expected = np.array(table).T
    got = apply("pow", level, dtype, widest(level, dtype), x, y)
    np.testing.assert_array_equal(got, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("machine", [NEOVERSE_V1, APPLE_M1], ids=lambda machine: machine.name)
def test_nothing_is_called_on_arm(machine):
    for name, dtype in itertools.product(SPELLING, DTYPES):
        for width in (1, machine.lanes(dtype)):
            text = assembly(elementwise(name, machine, dtype, width), machine)
            assert not re.findall(r"^\s+blr?\s.*$", text, re.MULTILINE), (name, dtype, width)


@every_level
def test_nothing_is_called_on_this_host(level):
    machine = levels()[level]
    for name, dtype in itertools.product(SPELLING, DTYPES):
        for width in (1, machine.lanes(dtype)):
            text = assembly(elementwise(name, machine, dtype, width), machine)
            assert not re.findall(r"^\s+(?:callq?|blr?)\s.*$", text, re.MULTILINE), (name, dtype)
