"""Reductions that every backend is tested with."""

ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "e = Vi(2)"]
GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"
CASES = [
    ("Sum", GAUSSIAN),
    ("Sum", f"Grad({GAUSSIAN}, x, e)"),
    ("Sum", f"Grad({GAUSSIAN}, g, e)"),
    ("Sum", f"Grad(Grad({GAUSSIAN}, x, e), y, x)"),
    ("Sum", "Exp(Sin(y)) * Norm2(x - y) + Log(g * g + 1)"),
    ("Sum", "(x | y) * b / (1 + SqNorm2(x))"),
    ("Sum", "IntCst(1)"),
    ("Sum", "Rsqrt(SqDist(x, x)) + Clamp(b, 0, 1)"),
    ("LogSumExp", "-g * SqDist(x, y)"),
    ("LogSumExp", "(x | y) + Elem(b, 0)"),
    ("LogSumExp", "100 * Elem(y, 1)"),
    ("LogSumExp", "x * y"),
    ("Max_SumShiftExp", "-g * SqDist(x, y)"),
    ("Min_ArgMin", "SqDist(x, y)"),
    ("Max_ArgMax", "x * y - Exp(y)"),
    ("Max", "x * y"),
    ("ArgMin", "Round(Elem(y, 0), 0)"),
]
SUM, SHIFTED_EXP, EXTREMUM = CASES[0], CASES[8], CASES[13]
