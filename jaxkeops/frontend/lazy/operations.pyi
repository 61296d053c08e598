"""Operations as methods of expressions. Written by tools/stub_methods.py."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from ...formula.methods import Method as Method
from .complex import ComplexTensor
from .expression import Expression
from .real import RealTensor

Literal = float | Sequence[int]

class RealOperations(Expression):
    """The operations of a real expression f, coordinate by coordinate unless they say else."""

    def abs(self) -> Self:
        """The absolute value of f; its derivative at 0 is taken as 0."""

    def acos(self) -> Self:
        """The arc cosine of f; its derivative at -1 and 1 is taken as 0."""

    def add(self, g: Any) -> Self:
        """f + g."""

    def adjoint_operator(self, v: Any, u: Any) -> Self:
        """Mᵀ u, for f = M v linear in v."""

    def asin(self) -> Self:
        """The arc sine of f; its derivative at -1 and 1 is taken as 0."""

    def atan(self) -> Self:
        """The arc tangent of f."""

    def atan2(self, g: Any) -> Self:
        """The angle of the point (g, f) with the first axis: f is its second coordinate."""

    def auto_factorize(self) -> Self:
        """f. Equal parts of a formula are always computed once."""

    def bspline(self, x: Any, degree: Literal = 0) -> Self:
        """The B-spline basis functions of degree k on the knots, at x; knots.dim - k - 1
        numbers.
        """

    def clamp(self, a: Any, b: Any) -> Self:
        """a where f < a, b where f > b, f elsewhere; the derivative for f is 1 at both ends."""

    def clampint(self, a: Literal, b: Literal) -> Self:
        """f held between the literals a and b; the derivative is 1 at both ends."""

    def concat(self, g: Any) -> Self:
        """The coordinates of f, then those of g."""

    def cos(self) -> Self:
        """The cosine of f."""

    def diff(self, v: Any, u: Any) -> Self:
        """The derivative of f for v along u; tuples of v and u add up."""

    def diffclampint(self, a: Literal, b: Literal) -> Self:
        """0 where f is below a or above b, two literals; 1 elsewhere: the derivative of
        ClampInt.
        """

    def divergence(self, v: Any) -> Self:
        """The sum over k of d f[k] / d v[k]."""

    def divide(self, g: Any) -> Self:
        """f / g."""

    def elem(self, m: Literal) -> Self:
        """Coordinate m of f, counted from 0."""

    def elemt(self, n: Literal, m: Literal) -> Self:
        """n coordinates: f at position m, zeros elsewhere: the adjoint of Elem."""

    def equal(self, g: Any) -> Self:
        """1 where f = g, 0 elsewhere."""

    def erf(self) -> Self:
        """The error function of f."""

    def exp(self) -> Self:
        """The exponential of f."""

    def exp1j(self) -> ComplexTensor:
        """exp(i f), for f real."""

    def expm1(self) -> Self:
        """exp(f) - 1, with all its digits near 0."""

    def extract(self, s: Literal, d: Literal) -> Self:
        """d coordinates of f, from coordinate s on."""

    def extractt(self, s: Literal, n: Literal) -> Self:
        """n coordinates: f from position s on, zeros elsewhere: the adjoint of Extract."""

    def factorize(self, g: Any) -> Self:
        """f. Equal parts of a formula are always computed once, so g says nothing new."""

    def floor(self) -> Self:
        """The greatest integer that is at most f."""

    def grad(self, v: Any, e: Any) -> Self:
        """The gradient of <e, f> for the variable v."""

    def grad_matrix(self, v: Any) -> Self:
        """The Jacobian of f for v, row by row: d f[k] / d v[l]."""

    def ifelse(self, a: Any, b: Any) -> Self:
        """a where f >= 0, b elsewhere and where f is NaN."""

    def ifless(self, g: Any, a: Any, b: Any) -> Self:
        """a where f < g, b elsewhere and where f or g is NaN."""

    def imag2complex(self) -> ComplexTensor:
        """The complex numbers with imaginary parts f, and no real parts."""

    def inv(self) -> Self:
        """1 / f."""

    def keops_kron(self, g: Any, dimsf: Literal, dimsg: Literal) -> Self:
        """The Kronecker product of f and g, as tensors of sizes dimsf and dimsg."""

    def keops_tensordot(
        self,
        g: Any,
        dimsf: Literal,
        dimsg: Literal,
        contf: Literal,
        contg: Literal,
        permute: Literal = (),
    ) -> Self:
        """f and g, as tensors of sizes dimsf and dimsg, contracted along the axes in contf and
        contg; kept axis m becomes axis permute[m] of the result.
        """

    def laplacian(self, v: Any) -> Self:
        """The sum over k of the second derivatives of f for v[k]."""

    def lessorequal(self, g: Any) -> Self:
        """1 where f <= g, 0 elsewhere."""

    def lessthan(self, g: Any) -> Self:
        """1 where f < g, 0 elsewhere."""

    def log(self) -> Self:
        """The natural logarithm of f: -inf at 0, NaN below."""

    def log1p(self) -> Self:
        """log(1 + f), with all its digits near 0: -inf at -1, NaN below."""

    def logistic(self) -> Self:
        """1 / (1 + exp(-f))."""

    def lookup(self, row: Any, column: Any, columns: Literal) -> Self:
        """f[row, column], for f a matrix in rows, of so many columns: 0 outside of it. For
        tables of few numbers: all are looked at for each pair.
        """

    def matvecmult(self, b: Any) -> Self:
        """The matrix A, in rows, times the vector b: out[i] = sum of A[i, k] b[k]."""

    def maximum(self, g: Any) -> Self:
        """The greater of f and g; f where one of them is NaN, or equal."""

    def minimum(self, g: Any) -> Self:
        """The lesser of f and g; f where one of them is NaN, or equal."""

    def minus(self) -> Self:
        """-f."""

    def mod(self, n: Any, d: Any = 0) -> Self:
        """f less a multiple of n: in [d, d + n) if n is positive."""

    def mult(self, g: Any) -> Self:
        """f * g."""

    def norm2(self) -> Self:
        """The Euclidean norm of f; its gradient at 0 is taken as 0."""

    def normalize(self) -> Self:
        """f over its Euclidean norm, taken as 0 at 0."""

    def notequal(self, g: Any) -> Self:
        """0 where f = g, 1 elsewhere."""

    def one_hot(self, n: Literal) -> Self:
        """n coordinates: 1 at position trunc(f + 0.5), zeros elsewhere; all zeros if f is out
        of range.
        """

    def pair(self, g: Any) -> ComplexTensor:
        """The complex numbers with real parts f and imaginary parts g."""

    def pow(self, m: Literal) -> Self:
        """f to the power m, a literal: 1 if m is 0, whatever f is."""

    def powf(self, g: Any) -> Self:
        """f to the power g, a formula; f is not negative unless g is an integer."""

    def real2complex(self) -> ComplexTensor:
        """The complex numbers with real parts f, and no imaginary parts."""

    def relu(self) -> Self:
        """0 where f is negative, f elsewhere; its derivative at 0 is taken as 1."""

    def round(self, digits: Literal = 0) -> Self:
        """f to d decimal digits, by default 0; halves go away from zero."""

    def rsqrt(self) -> Self:
        """1 / sqrt(f); it and its derivative are 0 at 0, for the gradient of a distance of 0."""

    def scalprod(self, g: Any) -> Self:
        """The scalar product of f and g, also written f | g."""

    def sign(self) -> Self:
        """-1, 0 or 1, as f is negative, zero (or NaN) or positive."""

    def sin(self) -> Self:
        """The sine of f."""

    def sinc(self) -> Self:
        """sin(pi f) / (pi f): 1 at 0."""

    def sinxdivx(self) -> Self:
        """sin(f) / f: 1 at 0."""

    def slope(self, x: Any, d: Any) -> Self:
        """f, with d added to its derivative for x, coordinate by coordinate."""

    def slopes(self, x: Any, J: Any) -> Self:
        """f, with J, a matrix in rows, added to its derivative for x."""

    def softdtw_sqdist(self, y: Any, gamma: Any) -> Self:
        """The soft dynamic time warping of x and y, with smoothing gamma, on squared
        differences.
        """

    def sphericalbessel(self, n: Literal) -> Self:
        """The spherical Bessel function of the first kind and of order n; n = 0 is SinXDivX."""

    def sqdist(self, g: Any) -> Self:
        """The squared Euclidean distance between f and g."""

    def sqnorm2(self) -> Self:
        """The squared Euclidean norm of f."""

    def sqnormdiag(self, s: Any) -> Self:
        """The sum of s[k] f[k]^2."""

    def sqnormiso(self, s: Any) -> Self:
        """s times the squared norm of f."""

    def sqrt(self) -> Self:
        """The square root of f: NaN below 0; its derivative at 0 is taken as 0."""

    def square(self) -> Self:
        """f * f."""

    def step(self) -> Self:
        """0 where f is negative, 1 elsewhere."""

    def stopgradient(self) -> Self:
        """f, as if it were constant: its derivative is 0."""

    def subtract(self, g: Any) -> Self:
        """f - g."""

    def sum_lin_operator(self, v: Any, wl: Any = 1, wr: Any = 1) -> Self:
        """The sum over k and l of wl[k] M[k, l] wr[l], for f = M v linear in v."""

    def sumt(self, n: Literal) -> Self:
        """f, of dimension 1, repeated n times: the adjoint of Sum."""

    def symsqnorm(self, A: Any) -> Self:
        """The sum of A[k, l] f[k] f[l], A in rows; it need not be symmetric."""

    def take(self, places: Literal) -> Self:
        """The coordinates of f at the places of a list, in its order."""

    def taket(self, n: Literal, places: Literal) -> Self:
        """n coordinates: each of f added at its place of a list, others 0: the adjoint of
        Take.
        """

    def tanh(self) -> Self:
        """The hyperbolic tangent of f."""

    def tensorprod(self, g: Any) -> Self:
        """All products of a coordinate of f and one of g: out[k g.dim + l] = f[k] g[l]."""

    def trace_operator(self, v: Any, w: Any = 1) -> Self:
        """The trace of M, for f = M v linear in v, with weights w; its sum if it is one row."""

    def vecmatmult(self, A: Any) -> Self:
        """The vector b times the matrix A, in rows: out[i] = sum of b[k] A[k, i]."""

    def weightedsqdist(self, g: Any, s: Any) -> Self:
        """The squared distance of f and g with weights s, as in WeightedSqNorm."""

    def weightedsqnorm(self, s: Any) -> Self:
        """The squared norm of f with weights s: a number, one for each coordinate, or a matrix
        in rows.
        """

    def where(self, condition: Any, g: Any) -> Self:
        """f where the condition is not 0, g elsewhere."""

    def xlogx(self) -> Self:
        """f log(f): 0 at 0, NaN below."""

class ComplexOperations(Expression):
    """The operations of a complex expression f, number by number."""

    is_complex: ClassVar[bool]

    def abs(self) -> RealTensor:
        """The modulus of f; its gradient at 0 is taken as 0."""

    def add(self, g: Any) -> Self:
        """f + g, of complex numbers."""

    def angle(self) -> RealTensor:
        """The angle of f."""

    def conj(self) -> Self:
        """The conjugate of f."""

    def divide(self, g: Any) -> Self:
        """f over g, of complex numbers."""

    def exp(self) -> Self:
        """The exponential of f."""

    @property
    def imag(self) -> RealTensor:
        """The imaginary parts of f."""

    def log(self) -> Self:
        """The principal logarithm of f: its imaginary part is the angle of f."""

    def mult(self, g: Any) -> Self:
        """f times g, of complex numbers."""

    def pow(self, m: Literal) -> Self:
        """f to the power m, an integer literal: 1 if m is 0, whatever f is."""

    @property
    def real(self) -> RealTensor:
        """The real parts of f."""

    def sqrt(self) -> Self:
        """The principal square root of f: its real part is not negative."""

    def squareabs(self) -> RealTensor:
        """The squared modulus of f."""

    def subtract(self, g: Any) -> Self:
        """f - g, of complex numbers."""
