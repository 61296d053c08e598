"""Regenerates jaxkeops/backends/llvm/coefficients.py: the tables of the vector math.

Run as `python tools/fit_polynomials.py > jaxkeops/backends/llvm/coefficients.py` (needs SciPy and
mpmath; two seconds).  Binary32 tables are weighted minimax fits by linear programming, one
coefficient rounded at a time from the lowest and the others fitted again.  Binary64 tables are
interpolations at Chebyshev nodes in 200-bit arithmetic, within a small factor of minimax, with a
few terms to spare.
"""

from collections.abc import Callable, Sequence

import mpmath as mp
import numpy as np
from scipy.optimize import linprog

mp.mp.prec = 200
Function = Callable[[mp.mpf], mp.mpf]

LN2 = mp.log(2)
QUARTER_TURN = float(mp.pi / 4) * 1.0005  # the reduction may pass pi/4 by its rounding
MANTISSA = (-0.25, 0.5)  # m - 1 for the mantissas [3/4, 3/2) of the logarithms
TABLE_BITS = {"float32": 5, "float64": 4}  # of the tables of powers of two
TINY = mp.mpf("1e-20")


def minimax_float32(
    f: Function,
    interval: tuple[float, float],
    powers: Sequence[int],
    weight: Function,
    **fixed: float,
) -> list[float]:
    """Coefficients of `powers`, binary32, that minimise max |p(x) - f(x)| * weight(x).

    `fixed` gives coefficients that are not free, as c0=1.0.
    """
    low, high = interval
    nodes = np.cos(np.pi * (np.arange(901) + 0.5) / 901)
    x = (low + high) / 2 + (high - low) / 2 * nodes
    target = np.array([float(f(mp.mpf(v))) for v in x])
    weights = np.array([float(weight(mp.mpf(v))) for v in x])
    known = {int(name[1:]): value for name, value in fixed.items()}
    for power in powers:
        if power not in known:
            known[power] = float(np.float32(_best(x, target, weights, powers, known)[power]))
    return [known[power] for power in powers]


def _best(
    x: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    powers: Sequence[int],
    known: dict[int, float],
) -> dict[int, float]:
    """The unrounded minimax coefficients of the powers that are not known yet."""
    free = [power for power in powers if power not in known]
    rest = target - sum(c * x**power for power, c in known.items())
    scales = np.array([np.max(np.abs(x)) ** power for power in free])
    columns = np.stack([x**power for power in free], 1) * weights[:, None] / scales
    rest = rest * weights
    # The error is 1e-8 or so, below the tolerance of the solver: it is scaled up.
    for gain in (1e6, 1e5, 1e4, 1e3):
        bound = -np.ones((len(x), 1))
        solution = linprog(
            np.r_[np.zeros(len(free)), 1.0],
            A_ub=np.block([[columns * gain, bound], [-columns * gain, bound]]),
            b_ub=np.r_[rest * gain, -rest * gain],
            bounds=[(None, None)] * (len(free) + 1),
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        if solution.x is not None:
            return dict(zip(free, solution.x[:-1] / scales, strict=True))
    raise ArithmeticError(f"no fit of powers {free}: {solution.message}")


def chebyshev_float64(f: Function, interval: tuple[float, float], terms: int) -> list[float]:
    """The binary64 coefficients of the polynomial that meets `f` at `terms` Chebyshev nodes."""
    low, high = mp.mpf(interval[0]), mp.mpf(interval[1])
    angles = [mp.pi * (2 * k + 1) / (2 * terms) for k in range(terms)]
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(angle) for angle in angles]
    powers = mp.matrix([[x**k for k in range(terms)] for x in nodes])
    return [float(c) for c in mp.lu_solve(powers, mp.matrix([f(x) for x in nodes]))]


def chebyshev_from_zero(f: Function, end: float, terms: int) -> list[float]:
    """The binary64 coefficients of a polynomial of `terms` terms that meets `f` at 0.

    On [0, end]; the nodes are those of Chebyshev, stretched until the first of them is 0.  The
    lowest coefficient is f(0), given exactly, and not fitted.
    """
    first = mp.cos(mp.pi / (2 * terms))
    nodes = [
        mp.mpf(end) * (first - mp.cos(mp.pi * (2 * k + 1) / (2 * terms))) / (first + 1)
        for k in range(1, terms)
    ]
    powers = mp.matrix([[x**k for k in range(terms - 1)] for x in nodes])
    slopes = mp.matrix([(f(x) - f(mp.mpf(0))) / x for x in nodes])
    return [float(f(mp.mpf(0))), *(float(c) for c in mp.lu_solve(powers, slopes))]


def quotient(f: Function, taylor: Sequence[mp.mpf], power: int) -> Function:
    """(f(x) - its first Taylor terms) / x**power; `taylor` goes on to the value at 0."""
    head, value = taylor[:power], taylor[power]

    def evaluate(x: mp.mpf) -> mp.mpf:
        if abs(x) < TINY:
            return value
        return (f(x) - sum(c * x**k for k, c in enumerate(head))) / x**power

    return evaluate


def exp2(x: mp.mpf) -> mp.mpf:
    return mp.mpf(2) ** x


def odd(f: Function) -> Function:
    """f(x) / x as a function of z = x * x."""
    return lambda z: f(mp.sqrt(z)) / mp.sqrt(z)


def float32_tables() -> dict[str, list[float]]:
    """Each weight is 1 / value, so that the error is relative to the result."""
    log1p = quotient(mp.log1p, [mp.mpf(0), mp.mpf(1), mp.mpf(-1) / 2, mp.mpf(1) / 3], 3)
    sin = quotient(odd(mp.sin), [mp.mpf(1), -mp.mpf(1) / 6], 1)
    cos = quotient(lambda z: mp.cos(mp.sqrt(z)), [mp.mpf(1), -mp.mpf(1) / 2, mp.mpf(1) / 24], 2)
    atan = quotient(odd(mp.atan), [mp.mpf(1), -mp.mpf(1) / 3], 1)
    asin = quotient(odd(mp.asin), [mp.mpf(1), mp.mpf(1) / 6], 1)
    reduced = float(LN2 / 2) * 1.0001
    octant = (0.0, QUARTER_TURN**2)
    return {
        "EXP2_32": minimax_float32(exp2, (-0.5, 0.5), range(7), lambda r: 1 / exp2(r), c0=1.0),
        "EXP_32": minimax_float32(
            mp.exp, (-reduced, reduced), range(7), lambda r: mp.exp(-r), c0=1.0, c1=1.0
        ),
        "LOG_32": minimax_float32(
            log1p, MANTISSA, range(9), lambda f: abs(f**3 / mp.log1p(f)) if f else mp.mpf(0)
        ),
        "SIN_32": minimax_float32(sin, octant, range(3), lambda z: z / odd(mp.sin)(z)),
        "COS_32": minimax_float32(cos, octant, range(3), lambda z: z**2 / mp.cos(mp.sqrt(z))),
        "ATAN_32": minimax_float32(atan, (0.0, 1.0), range(8), lambda z: z / odd(mp.atan)(z)),
        "ASIN_32": minimax_float32(asin, (0.0, 0.25), range(5), lambda z: z / odd(mp.asin)(z)),
    }


def float64_tables() -> dict[str, list[float]]:
    """Series of the same shapes as in binary32, and the two tables of the power."""
    reduced = float(LN2 / 2) * 1.0001
    octant = (0.0, QUARTER_TURN**2)
    # log(m) = 2 s + 2/3 s^3 + 2/5 s^5 ... with s = (m - 1) / (m + 1), |s| <= 1/5.
    ratio = (0.0, 0.0401)
    log = quotient(odd(lambda s: 2 * mp.atanh(s)), [mp.mpf(2), mp.mpf(2) / 3], 1)
    log2 = quotient(
        odd(lambda s: 2 * mp.atanh(s) / LN2),
        [2 / LN2, 2 / (3 * LN2), 2 / (5 * LN2)],
        2,
    )
    return {
        "EXP2_64": [1.0, *chebyshev_float64(quotient(exp2, [mp.mpf(1), LN2], 1), (-0.5, 0.5), 11)],
        "EXP2_TABLE_64": chebyshev_from_zero(exp2, 2.0 ** -TABLE_BITS["float64"], 7),
        "EXP_64": [
            1.0,
            1.0,
            *chebyshev_float64(
                quotient(mp.exp, [mp.mpf(1), mp.mpf(1), mp.mpf(1) / 2], 2), (-reduced, reduced), 10
            ),
        ],
        "LOG_64": chebyshev_float64(log, ratio, 8),
        "SIN_64": chebyshev_float64(
            quotient(odd(mp.sin), [mp.mpf(1), -mp.mpf(1) / 6], 1), octant, 7
        ),
        "COS_64": chebyshev_float64(
            quotient(lambda z: mp.cos(mp.sqrt(z)), [mp.mpf(1), -mp.mpf(1) / 2, mp.mpf(1) / 24], 2),
            octant,
            7,
        ),
        "ATAN_64": chebyshev_float64(
            quotient(odd(mp.atan), [mp.mpf(1), -mp.mpf(1) / 3], 1), (0.0, 1.0), 21
        ),
        "ASIN_64": chebyshev_float64(
            quotient(odd(mp.asin), [mp.mpf(1), mp.mpf(1) / 6], 1), (0.0, 0.25), 13
        ),
        # Binary32 power in binary64: 2^-38 for the logarithm, 2^-33 for the exponential.
        "POW32_LOG2": chebyshev_float64(
            quotient(lambda f: mp.log1p(f) / LN2, [mp.mpf(0), 1 / LN2], 1), MANTISSA, 15
        ),
        "POW32_EXP2": chebyshev_float64(exp2, (-0.5, 0.5), 8),
        "POW64_LOG2": chebyshev_float64(log2, ratio, 8),
    }


def power_tables() -> dict[str, list[float]]:
    """2^(k / count) from 1 on, and the polynomials of what is left of an exponent.

    A polynomial begins with 1.  In binary32 the powers take over the factor that lets it be the
    best without that: it is nearer to 1 than half an ULP, so that the first is still 1.
    """
    first, *others = chebyshev_float64(exp2, (0.0, 2.0 ** -TABLE_BITS["float32"]), 3)
    scales = {"float32": first, "float64": 1.0}
    powers = {
        dtype: [float(scales[dtype] * exp2(mp.ldexp(k, -bits))) for k in range(1 << bits)]
        for dtype, bits in TABLE_BITS.items()
    }
    return {
        "POWERS_32": [float(np.float32(x)) for x in powers["float32"]],
        "POWERS_64": powers["float64"],
        "EXP2_TABLE_32": [1.0, *(float(np.float32(c / first)) for c in others)],
    }


def logarithm_tables() -> dict[str, list[float]]:
    """What float32 takes log2 of mantissas in [3/4, 3/2) and their powers by.

    Entry k serves those whose highest five bits are k. Its reciprocal has 6 bits after the point,
    so that its product with one, less 1, is exact. The logarithm of it is a number of 16 bits after
    the point, to which a whole one is added exactly, and a rest.
    """
    count = 1 << TABLE_BITS["float32"]
    halves = [1.0 if k < count // 2 else 0.5 for k in range(count)]
    middles = [half * (1 + (k + 0.5) / count) for k, half in enumerate(halves)]
    near_one = (0, count - 1)
    reciprocals = [
        1.0 if k in near_one else round(64 / middle) / 64 for k, middle in enumerate(middles)
    ]
    logs = [-mp.log(c, 2) for c in reciprocals]
    high = [float(mp.nint(mp.ldexp(log, 16)) / 65536) for log in logs]
    low = [float(np.float32(log - h)) for log, h in zip(logs, high, strict=True)]
    ends = [
        float(half * (1 + mp.mpf(k + side) / count) * c - 1)
        for k, (half, c) in enumerate(zip(halves, reciprocals, strict=True))
        for side in (0, 1)
    ]
    taylor = [mp.mpf(0), 1 / LN2, -1 / (2 * LN2), 1 / (3 * LN2)]
    log2 = quotient(lambda r: mp.log1p(r) / LN2, taylor, 3)
    exp2_rest = quotient(exp2, [mp.mpf(1), LN2], 1)
    return {
        "POW_RECIPROCALS": reciprocals,
        "POW_HIGH": high,
        "POW_LOW": low,
        "POW_POWERS": [float(np.float32(exp2(mp.mpf(k) / count))) for k in range(count)],
        # log2(1 + r) = (r - r^2 / 2) / ln 2 + r^3 p(r), and 2^r = 1 + r p(r).
        "POW_LOG2": minimax_float32(log2, (min(ends), max(ends)), range(4), lambda r: r * r),
        "POW_EXP2": minimax_float32(exp2_rest, (0.0, 1 / count), range(3), lambda r: abs(r)),
    }


def two_over_pi() -> list[int]:
    """The bits of 2 / pi in words of 64, after one word of zeros.

    19 words serve the largest float64: its lowest bit is worth 2^971, and 192 bits are read from
    there on, a word being one more than they fill when they start inside one.
    """
    words = 19
    with mp.workprec(64 * words + 64):
        bits = int(mp.floor(mp.ldexp(2 / mp.pi, 64 * words)))
    return [0] + [bits >> 64 * k & (2**64 - 1) for k in reversed(range(words))]


def show(tables: dict[str, list[float]]) -> str:
    """The text of coefficients.py."""
    lines = [
        '"""Tables of the vector math: polynomials (lowest power first), powers, bits of 2 / pi.',
        "",
        "Written by tools/fit_polynomials.py, which tells the interval and the weight of each.",
        '"""',
    ]
    for name, values in tables.items():
        lines += ["", f"{name} = (", *(f"    {value!r}," for value in values), ")"]
    lines += ["", "TWO_OVER_PI = (", *(f"    0x{word:016X}," for word in two_over_pi()), ")"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(show(float32_tables() | float64_tables() | power_tables() | logarithm_tables()))
