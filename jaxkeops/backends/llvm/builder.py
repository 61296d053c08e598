"""Writes LLVM text: a module, its functions, and the instructions of their bodies.

Values, types and labels are plain strings in LLVM's spelling.  A `Builder` is a view of one
function body at one (dtype, width); views of the same body at other dtypes and widths come from
`at`, so that one function mixes scalars, vectors and integers.  Every name made here has a dot in
it, and argument names may not, so that names and labels, which share one namespace in LLVM, never
clash.
"""

import functools
from collections.abc import Callable, Sequence

from ...ir.machine import Machine
from .flow import Body, Flow
from .spelling import hexadecimal, item_bytes, suffix, vector

ELEMENTS = {"float32": ("float", "i32", 32), "float64": ("double", "i64", 64)}
# Integer instructions that give their first operand.
NEUTRAL = {("add", "0"), ("sub", "0"), ("mul", "1")}


class Module:
    """The functions of one compilation, and the declarations that they share."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._declarations: dict[str, None] = {}
        self._bodies: list[Body] = []

    def declare(self, line: str) -> None:
        """Adds a top-level line, once: `declare float @llvm.fabs.f32(float)`."""
        self._declarations[line] = None

    def function(
        self, name: str, arguments: Sequence[tuple[str, str]] = (), result: str = "void"
    ) -> "Builder":
        """A builder for the body of a new function, at float32 and width 1.

        `arguments` are (name, type); the type may carry attributes, as in "ptr noalias".
        Inside the body argument `name` is `%name`.
        """
        body = Body(name, arguments, result, self.declare)
        self._bodies.append(body)
        return Builder(body, self.machine, "float32", 1)

    def text(self) -> str:
        """The whole module as LLVM text."""
        # 512-bit registers are avoided by LLVM on many CPUs unless asked for.
        bits = 8 * self.machine.vector_bytes
        attributes = (
            f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" '
            '"no-trapping-math"="true" }'
        )
        bodies = [body.text() for body in self._bodies]
        weights = '!0 = !{!"branch_weights", i32 1, i32 2000}'
        return "\n".join([*self._declarations, *bodies, attributes, weights, ""])


class Builder(Flow):
    """Instructions on `width` lanes of `dtype`; operands and results are names or constants.

    `type` is the LLVM type of a value, `int_type` the integer of the same bits, `mask` what
    comparisons give; `element` and `int_element` are their scalars.
    """

    __slots__ = (
        "bits_per_lane",
        "dtype",
        "element",
        "int_element",
        "int_type",
        "machine",
        "mask",
        "type",
        "width",
    )

    def __init__(self, body: Body, machine: Machine, dtype: str, width: int) -> None:
        super().__init__(body)
        self.machine = machine
        self.dtype = dtype
        self.width = width
        self.element, self.int_element, self.bits_per_lane = ELEMENTS[dtype]
        self.type = vector(self.element, width)
        self.int_type = vector(self.int_element, width)
        self.mask = vector("i1", width)

    def at(self, dtype: str | None = None, width: int | None = None) -> "Builder":
        """The view of the same body at another dtype or width."""
        return Builder(self.body, self.machine, dtype or self.dtype, width or self.width)

    # Constants.

    def const(self, value: float) -> str:
        """`value` rounded to the dtype, in every lane; a float32 overflow becomes infinite."""
        text = hexadecimal(value, self.dtype)
        return text if self.width == 1 else f"splat ({self.element} {text})"

    def int_const(self, value: int) -> str:
        """`value` as the integer of the lane's bits, in every lane."""
        bits = self.bits_per_lane
        value = (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
        return str(value) if self.width == 1 else f"splat ({self.int_element} {value})"

    def splat(self, scalar: str, element: str | None = None) -> str:
        """A scalar in every lane; `element` tells its type when it is not the dtype's."""
        if self.width == 1:
            return scalar
        type = vector(element or self.element, self.width)
        first = self.once(f"insertelement {type} poison, {element or self.element} {scalar}, i64 0")
        return self.once(
            f"shufflevector {type} {first}, {type} poison, <{self.width} x i32> zeroinitializer"
        )

    def lane_numbers(self, element: str = "i64") -> str:
        """The constant 0, 1, 2 ... of type <width x element>."""
        if self.width == 1:
            return "0"
        return "<" + ", ".join(f"{element} {k}" for k in range(self.width)) + ">"

    # Floating point.

    def add(self, a: str, b: str) -> str:
        return self.let(f"fadd {self.type} {a}, {b}")

    def sub(self, a: str, b: str) -> str:
        return self.let(f"fsub {self.type} {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        return self.let(f"fmul {self.type} {a}, {b}")

    def div(self, a: str, b: str) -> str:
        return self.let(f"fdiv {self.type} {a}, {b}")

    def neg(self, a: str) -> str:
        return self.let(f"fneg {self.type} {a}")

    def _intrinsic(self, name: str, *operands: str) -> str:
        declaration, function = _spell_intrinsic(name, self.dtype, self.width, len(operands))
        self.body.declare(declaration)
        type = self.type
        return self.let(f"{function}({', '.join([f'{type} {operand}' for operand in operands])})")

    def abs(self, a: str) -> str:
        return self._intrinsic("fabs", a)

    def sqrt(self, a: str) -> str:
        return self._intrinsic("sqrt", a)

    def copysign(self, magnitude: str, sign: str) -> str:
        return self._intrinsic("copysign", magnitude, sign)

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, rounded once if the machine has FMA and twice if not."""
        if self.machine.fma:
            return self._intrinsic("fma", a, b, c)
        return self.add(self.mul(a, b), c)

    def rint(self, a: str) -> str:
        """The nearest whole number, ties to even; keeps the sign of zero."""
        if self.machine.fma:
            return self._intrinsic("rint", a)
        # Without SSE4.1 the intrinsic would call libm lane by lane.
        first_whole = self.const(2.0 ** (23 if self.dtype == "float32" else 52))
        magnitude = self.abs(a)
        whole = self.sub(self.add(magnitude, first_whole), first_whole)
        small = self.compare("olt", magnitude, first_whole)
        return self.select(small, self.copysign(whole, a), a)

    def floor(self, a: str) -> str:
        """The largest whole number that is not above a; keeps the sign of zero."""
        if self.machine.fma:
            return self._intrinsic("floor", a)
        whole = self.rint(a)
        above = self.compare("ogt", whole, a)
        return self.select(above, self.sub(whole, self.const(1.0)), whole)

    def compare(self, predicate: str, a: str, b: str) -> str:
        """A mask; predicates starting with o are false on NaN (olt), with u true (ult)."""
        return self.let(f"fcmp {predicate} {self.type} {a}, {b}")

    def select(self, mask: str, yes: str, no: str, type: str | None = None) -> str:
        """Lane by lane `yes` where the mask is set, else `no`; `type` when not the dtype's."""
        type = type or self.type
        return self.let(f"select {self.mask} {mask}, {type} {yes}, {type} {no}")

    def min(self, a: str, b: str) -> str:
        """a if a < b else b, so b where either is NaN: one instruction on x86."""
        return self.select(self.compare("olt", a, b), a, b)

    def max(self, a: str, b: str) -> str:
        """a if a > b else b, so b where either is NaN: one instruction on x86."""
        return self.select(self.compare("ogt", a, b), a, b)

    # Masks.

    def both(self, a: str, b: str) -> str:
        return self.let(f"and {self.mask} {a}, {b}")

    def either(self, a: str, b: str) -> str:
        return self.let(f"or {self.mask} {a}, {b}")

    def opposite(self, a: str) -> str:
        return self.let(f"xor {self.mask} {a}, {'true' if self.width == 1 else 'splat (i1 true)'}")

    def any(self, mask: str) -> str:
        """An i1: is the mask set in some lane."""
        if self.width == 1:
            return mask
        return self.call("i1", f"llvm.vector.reduce.or.v{self.width}i1", (self.mask, mask))

    def mask_bits(self, mask: str) -> str:
        """An i64 whose bit k is lane k of the mask."""
        if self.width > 1:
            mask = self.let(f"bitcast {self.mask} {mask} to i{self.width}")
        return self.let(f"zext i{self.width} {mask} to i64")

    # Integers of the lane's bits, unless a type is given.

    def op(self, name: str, a: str, b: str, type: str | None = None) -> str:
        """An integer instruction by its LLVM name: add, sub, shl, lshr, ashr, and, or, xor."""
        if (name, b) in NEUTRAL:
            return a
        return self.once(f"{name} {type or self.int_type} {a}, {b}")

    def compare_int(self, predicate: str, a: str, b: str, type: str | None = None) -> str:
        """A mask, by icmp: eq, ne, slt, sle, ult ..."""
        return self.let(f"icmp {predicate} {type or self.int_type} {a}, {b}")

    def bits(self, a: str) -> str:
        """The bits of a float as an integer."""
        return self.let(f"bitcast {self.type} {a} to {self.int_type}")

    def from_bits(self, a: str) -> str:
        """The float with these bits."""
        return self.let(f"bitcast {self.int_type} {a} to {self.type}")

    def convert(self, how: str, a: str, source: str, target: str) -> str:
        """A conversion by its LLVM name (sitofp, zext, trunc, fpext ...) between two types."""
        return self.let(f"{how} {source} {a} to {target}")

    # Other widths.

    def shuffle(self, a: str, b: str, lanes: Sequence[int], type: str | None = None) -> str:
        """The lanes of a then b, by number; `lanes` tells the width of the result."""
        type = type or self.type
        chosen = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.let(f"shufflevector {type} {a}, {type} {b}, <{len(lanes)} x i32> <{chosen}>")

    def extract(self, a: str, lane: int | str, type: str | None = None) -> str:
        """The scalar in one lane."""
        if self.width == 1:
            return a
        return self.let(f"extractelement {type or self.type} {a}, i64 {lane}")

    def insert(self, a: str, scalar: str, lane: int | str) -> str:
        """`a` with a scalar put in one lane."""
        if self.width == 1:
            return scalar
        return self.let(f"insertelement {self.type} {a}, {self.element} {scalar}, i64 {lane}")

    def fold(self, a: str, combine: Callable[["Builder", str, str], str]) -> str:
        """All the lanes combined by halves, always in the same order, into a scalar."""
        view = self
        while view.width > 1:
            half = view.width // 2
            low = view._part(a, 0, half, view.type)
            high = view._part(a, half, half, view.type)
            view = view.at(width=half)
            a = combine(view, low, high)
        return a

    def _part(self, a: str, start: int, count: int, type: str) -> str:
        if count == 1:
            return self.extract(a, start, type)
        return self.shuffle(a, "poison", range(start, start + count), type)

    @property
    def wide(self) -> "Builder":
        """From float32: the float64 view in which `widen` gives its parts."""
        halved = self.width > 1 and 8 * self.width > self.machine.vector_bytes
        return self.at("float64", self.width // 2 if halved else self.width)

    def widen(self, a: str) -> list[str]:
        """A float32 value in float64: one part, or two halves if one register cannot hold it."""
        wide = self.wide
        parts = (
            [a]
            if wide.width == self.width
            else [self._part(a, k, wide.width, self.type) for k in (0, wide.width)]
        )
        source = vector("float", wide.width)
        return [self.convert("fpext", part, source, wide.type) for part in parts]

    def narrow(self, parts: Sequence[str]) -> str:
        """The float32 value of float64 parts."""
        wide = self.wide
        target = vector("float", wide.width)
        return self._join(
            [self.convert("fptrunc", part, wide.type, target) for part in parts], "float"
        )

    def narrow_int(self, parts: Sequence[str]) -> str:
        """The low 32 bits of 64-bit integer parts."""
        wide = self.wide
        if len(parts) == 1:
            return self.convert("trunc", parts[0], wide.int_type, self.int_type)
        # The even words of both halves: one permutation with AVX-512, where truncations take four.
        type = vector("i32", self.width)
        words = [self.convert("bitcast", part, wide.int_type, type) for part in parts]
        return self.shuffle(*words, range(0, 2 * self.width, 2), type)

    def _join(self, parts: list[str], element: str) -> str:
        if len(parts) == 1:
            return parts[0]
        half = self.width // 2
        if half > 1:
            return self.shuffle(*parts, range(self.width), vector(element, half))
        type = vector(element, 2)
        first = self.let(f"insertelement {type} poison, {element} {parts[0]}, i64 0")
        return self.let(f"insertelement {type} {first}, {element} {parts[1]}, i64 1")

    # Memory. Arrays of users are aligned to their elements only, which is the default.

    def slot(self, type: str, count: int | str = 1, align: int = 64) -> str:
        """A pointer to stack memory for `count` values, reserved once at the function's entry."""
        name = self.fresh("slot")
        self.body.slots.append(f"  {name} = alloca {type}, i64 {count}, align {align}")
        return name

    def address(self, pointer: str, index: str, element: str | None = None) -> str:
        """`pointer` advanced by `index` (an i64) elements, of the dtype if not told."""
        if index == "0":
            return pointer
        return self.once(
            f"getelementptr inbounds {element or self.element}, ptr {pointer}, i64 {index}"
        )

    def addresses(self, pointer: str, indices: str, element: str | None = None) -> str:
        """Pointers, one per lane, to `pointer` advanced by <width x i64> indices."""
        element = element or self.element
        type = vector("i64", self.width)
        return self.let(f"getelementptr inbounds {element}, ptr {pointer}, {type} {indices}")

    def load(
        self, pointer: str, type: str | None = None, align: int | None = None, how: str = "load"
    ) -> str:
        align = align or self.bits_per_lane // 8
        return self.let(f"{how} {type or self.type}, ptr {pointer}, align {align}")

    def store(
        self, value: str, pointer: str, type: str | None = None, align: int | None = None
    ) -> None:
        align = align or self.bits_per_lane // 8
        self.line(f"store {type or self.type} {value}, ptr {pointer}, align {align}")

    def gather(self, pointers: str, mask: str, element: str | None = None) -> str:
        """The elements at `pointers` where the mask is set, zero elsewhere (not read)."""
        self._check_vector("gather")
        element = element or self.element
        type, pointer_type = vector(element, self.width), vector("ptr", self.width)
        return self.call(
            type,
            f"llvm.masked.gather.{suffix(element, self.width)}.v{self.width}p0",
            (pointer_type, pointers),
            ("i32", str(item_bytes(element))),
            (self.mask, mask),
            (type, "zeroinitializer"),
        )

    def scatter(self, value: str, pointers: str, mask: str, element: str | None = None) -> None:
        """Writes each lane where the mask is set to its own pointer."""
        self._check_vector("scatter")
        element = element or self.element
        self.call(
            "void",
            f"llvm.masked.scatter.{suffix(element, self.width)}.v{self.width}p0",
            (vector(element, self.width), value),
            (vector("ptr", self.width), pointers),
            ("i32", str(item_bytes(element))),
            (self.mask, mask),
        )

    def masked_load(self, pointer: str, mask: str, element: str | None = None) -> str:
        """Consecutive elements where the mask is set, zero elsewhere (not read)."""
        self._check_vector("masked_load")
        element = element or self.element
        type = vector(element, self.width)
        return self.call(
            type,
            f"llvm.masked.load.{suffix(element, self.width)}.p0",
            ("ptr", pointer),
            ("i32", str(item_bytes(element))),
            (self.mask, mask),
            (type, "zeroinitializer"),
        )

    def masked_store(self, value: str, pointer: str, mask: str, element: str | None = None) -> None:
        """Writes consecutive elements where the mask is set."""
        self._check_vector("masked_store")
        element = element or self.element
        self.call(
            "void",
            f"llvm.masked.store.{suffix(element, self.width)}.p0",
            (vector(element, self.width), value),
            ("ptr", pointer),
            ("i32", str(item_bytes(element))),
            (self.mask, mask),
        )

    def _check_vector(self, what: str) -> None:
        if self.width == 1:
            raise ValueError(f"{what} needs a width above 1; use a branch and a plain access")


@functools.cache
def _spell_intrinsic(name: str, dtype: str, width: int, count: int) -> tuple[str, str]:
    """The declaration of an elementwise intrinsic, and the start of a call."""
    element = ELEMENTS[dtype][0]
    type = vector(element, width)
    function = f"{type} @llvm.{name}.{suffix(element, width)}"
    return f"declare {function}({', '.join([type] * count)})", f"call {function}"
