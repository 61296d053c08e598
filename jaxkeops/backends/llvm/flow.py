"""The body of one LLVM function: its names, its blocks, its loops and branches."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager


class Body:
    """The text of one function while it grows, shared by all the builders that write it."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[tuple[str, str]],
        result: str,
        declare: Callable[[str], None],
    ) -> None:
        for argument, _ in arguments:
            if "." in argument:
                raise ValueError(f"an argument name may have no dot, but one is {argument!r}")
        self.declare = declare
        signature = ", ".join(f"{type} %{argument}" for argument, type in arguments)
        self.header = f"define {result} @{name}({signature}) #0 {{"
        self.slots: list[str] = []
        self.lines: list[str] = []
        self.names = 0
        self.block = "entry.0"
        self._shared: dict[Hashable, tuple[str, ...]] = {}
        self._shared_block = self.block

    @property
    def shared(self) -> dict[Hashable, tuple[str, ...]]:
        """Names written before that may be used here again; empty at the start of a block."""
        if self._shared_block != self.block:
            self._shared, self._shared_block = {}, self.block
        return self._shared

    def share_on(self, shared: dict[Hashable, tuple[str, ...]]) -> None:
        """Keeps what was shared before a branch, in the block where its arms have met again.

        LLVM itself finds equal instructions only inside one block.
        """
        self._shared, self._shared_block = shared, self.block

    def text(self) -> str:
        return "\n".join([self.header, "entry.0:", *self.slots, *self.lines, "}"])


class Arm:
    """The values that a loop or a branch carries: see `Builder.loop` and `Builder.when`.

    `values`: inside, what the carried values are; after, what they became.
    `next`: set inside, what they become at the end of this turn.
    """

    def __init__(self, index: str, values: list[str]) -> None:
        self.index = index
        self.values = values
        self.next = list(values)


class Flow:
    """What writing a function needs whatever the dtype and the width: text, blocks, loops.

    Abstract: `Builder` adds the instructions on lanes.
    """

    __slots__ = ("body",)

    def __init__(self, body: Body) -> None:
        self.body = body

    @property
    def block(self) -> str:
        """The label of the block being written: what a phi must name as its predecessor."""
        return self.body.block

    def fresh(self, hint: str = "v") -> str:
        """A new value name, for a line written by hand or a phi filled later."""
        self.body.names += 1
        return f"%{hint}.{self.body.names}"

    def line(self, text: str) -> None:
        """Appends one instruction without a result."""
        self.body.lines.append(f"  {text}")

    def let(self, text: str) -> str:
        """Appends one instruction, and gives the name of its result."""
        body = self.body
        body.names += 1
        name = f"%v.{body.names}"
        body.lines.append(f"  {name} = {text}")
        return name

    def once(self, text: str) -> str:
        """The result of an instruction without effects, appended if the block does not have it."""
        shared = self.body.shared
        if text not in shared:
            shared[text] = (self.let(text),)
        return shared[text][0]

    def comment(self, text: str) -> None:
        """Appends a comment line."""
        self.body.lines.append(f"  ; {text}")

    def call(self, result: str, name: str, *operands: tuple[str, str]) -> str:
        """The result of a named function, declared on the way; operands are (type, value)."""
        types = ", ".join(type for type, _ in operands)
        self.body.declare(f"declare {result} @{name}({types})")
        text = f"call {result} @{name}({', '.join(f'{type} {value}' for type, value in operands)})"
        if result != "void":
            return self.let(text)
        self.line(text)
        return ""

    def label(self, hint: str = "block") -> str:
        """A new label, not placed yet."""
        self.body.names += 1
        return f"{hint}.{self.body.names}"

    def place(self, label: str) -> None:
        """Starts the block of a label; the block before must have ended by a jump."""
        self.body.lines.append(f"{label}:")
        self.body.block = label

    def jump(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str, rare: bool = False) -> None:
        """Jumps on an i1; `rare` tells that `yes` is hardly ever taken."""
        weights = ", !prof !0" if rare else ""
        self.line(f"br i1 {condition}, label %{yes}, label %{no}{weights}")

    def phi(self, type: str, *sources: tuple[str, str]) -> str:
        """The value of the predecessor that control came from; sources are (value, label)."""
        return self.let(f"phi {type} " + ", ".join(f"[ {v}, %{label} ]" for v, label in sources))

    def ret(self, value: str = "void") -> None:
        """Returns; a value carries its type, as in "float %v.3"."""
        self.line(f"ret {value}")

    @contextmanager
    def loop(
        self,
        begin: str,
        end: str,
        step: str = "1",
        carry: Sequence[tuple[str, str]] = (),
        nonempty: bool = False,
    ) -> Iterator[Arm]:
        """A loop over i64 from begin to end; `carry` are (type, first value).

        `arm.index` and `arm.values` are for the body, which sets `arm.next`; after the loop
        `arm.values` are the last ones.  `nonempty` promises begin < end and saves a test.
        """
        body, before = self.body, self.block
        inside, after = self.label("loop"), self.label("after")
        if nonempty:
            self.jump(inside)
        else:
            self.branch(self.let(f"icmp slt i64 {begin}, {end}"), inside, after)
        self.place(inside)
        arm = Arm(self.fresh("index"), [self.fresh("carry") for _ in carry])
        phis = len(body.lines)
        body.lines += [""] * (1 + len(carry))
        yield arm
        # Frozen, so that LLVM sees no counter: its strength reduction would take a third of the
        # time of code generation, for addresses that are no quicker.
        stepped = self.let(f"freeze i64 {self.let(f'add i64 {arm.index}, {step}')}")
        latch = self.block
        self.branch(self.let(f"icmp slt i64 {stepped}, {end}"), inside, after)
        starts = [("i64", begin), *carry]
        names, nexts = [arm.index, *arm.values], [stepped, *arm.next]
        for k, ((type, start), name, value) in enumerate(zip(starts, names, nexts, strict=True)):
            body.lines[phis + k] = (
                f"  {name} = phi {type} [ {start}, %{before} ], [ {value}, %{latch} ]"
            )
        self.place(after)
        arm.values = (
            list(arm.next)
            if nonempty
            else [
                self.phi(type, (start, before), (value, latch))
                for (type, start), value in zip(carry, arm.next, strict=True)
            ]
        )

    @contextmanager
    def when(
        self, condition: str, carry: Sequence[tuple[str, str]] = (), rare: bool = False
    ) -> Iterator[Arm]:
        """Code that runs if an i1 holds; `carry` are (type, value) that it may replace.

        Inside set `arm.next`; after, `arm.values` are the ones that hold on either way.
        """
        before = self.block
        inside, after = self.label("when"), self.label("after")
        self.branch(condition, inside, after, rare)
        self.place(inside)
        arm = Arm("", [value for _, value in carry])
        yield arm
        end = self.block
        self.jump(after)
        self.place(after)
        arm.values = [
            self.phi(type, (value, before), (changed, end))
            for (type, value), changed in zip(carry, arm.next, strict=True)
        ]
