"""Equal formulas that cost less: equal parts become one object, constants and rules are applied."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .node import Call, F, Node, Number, Var, zeros
from .rules import ANY_ZERO, COMMUTATIVE, RULES, Rule, is_zero, narrowed


def simplify(node: Node, *, drops: bool = True) -> Node:
    """An equal formula, whose derivatives are equal too, in which equal parts are one object.

    Values at finite arguments change by rounding only. Time is linear in the number of nodes.
    drops: whether what is multiplied by 0, or subtracted from itself, is left out, infinite or not.
    Derivatives are full of that, and would be NaN where the formula is not; a formula that a user
    wrote is NaN then, as NumPy's.
    """
    return simplify_all([node], drops=drops)[0]


def simplify_all(
    nodes: Iterable[Node], fired: list[Rule] | None = None, *, drops: bool = True
) -> list[Node]:
    """The formulas simplified, with equal parts shared among them. `fired` takes the rules used."""
    return _Table(rewrite=True, drops=drops, fired=fired).canonical(list(nodes))


def share(nodes: Iterable[Node]) -> list[Node]:
    """The same formulas, in which equal parts are one object."""
    return _Table(rewrite=False).canonical(list(nodes))


class _Table:
    """Value numbering: every formula met, and the one object that stands for its equals."""

    def __init__(
        self, *, rewrite: bool, drops: bool = False, fired: list[Rule] | None = None
    ) -> None:
        self.rewrite = rewrite
        self.drops = drops
        self.fired = fired
        self.stands_for: dict[Node, Node] = {}
        self.by_content: dict[object, Node] = {}
        self.order: dict[Node, int] = {}  # of those that stand for others

    def canonical(self, roots: list[Node]) -> list[Node]:
        becomes: dict[Node, Node] = {}  # what a rule has made of a formula
        stack = roots[::-1]
        while stack:
            node = stack[-1]
            if node in self.stands_for:
                stack.pop()
                continue
            if not isinstance(node, Call):
                self._settle(node, self._leaf(node))
                continue
            if node in becomes:
                self._settle(node, self.stands_for[becomes[node]])
                continue
            waiting = [arg for arg in node.args if arg not in self.stands_for]
            if waiting:
                stack.extend(reversed(waiting))
                continue
            call = self._with_args(node, tuple(self.stands_for[arg] for arg in node.args))
            content = self._content(call)
            known = self.by_content.get(content)
            if known is None:
                better = self._rewritten(call) if self.rewrite else None
                if better is not None:
                    becomes[node] = better
                    stack.append(better)
                    continue
                known = self.by_content[content] = call
            self._settle(node, known)
        return [self.stands_for[root] for root in roots]

    def _settle(self, node: Node, stand_in: Node) -> None:
        self.stands_for[node] = self.stands_for[stand_in] = stand_in
        self.order.setdefault(stand_in, len(self.order))

    def _leaf(self, node: Node) -> Node:
        match node:
            case Var(dim, slot, axis):
                content: object = ("Var", dim, slot, axis)
            case Number(dim, value):
                content = ("Number", dim, value.hex())  # tells 0.0 from -0.0, unlike ==
            case _:
                raise AssertionError(node)
        return self.by_content.setdefault(content, node)

    def _content(self, call: Call) -> object:
        args = call.args
        if call.op.name in COMMUTATIVE:
            args = tuple(sorted(args, key=self.order.__getitem__))
        return (call.op, args, call.params)

    @staticmethod
    def _with_args(node: Call, args: tuple[Node, ...]) -> Call:
        same = all(a is b for a, b in zip(args, node.args, strict=True))
        return node if same else Call(node.dim, node.op, args, node.params)

    def _rewritten(self, call: Call) -> Node | None:
        """What the first rule that fits makes of `call`, whose arguments are canonical."""
        folded = constant(call)
        if folded is not None:
            return folded
        if call.op.broadcasts:
            narrow = narrowed(call)
            if narrow is not None:
                return narrow
        if call.op.name in ANY_ZERO and any(map(is_zero, call.args)):
            return zeros(call.dim) if self.drops else _zero_or_nan(call)
        for rule in RULES.get(call.op.name, ()):
            better = None if rule.drops and not self.drops else rule.apply(call)
            if better is not None:
                assert better.dim == call.dim, (rule.pattern, call.dim, better.dim)
                if self.fired is not None:
                    self.fired.append(rule)
                return better
        return None


def _zero_or_nan(call: Call) -> Node:
    """A product of zeros and x, as that of ones and x - x: later stages would drop the zeros."""
    args = [Number(arg.dim, 1.0) if is_zero(arg) else F.Subtract(arg, arg) for arg in call.args]
    return call.op(*args, *call.params)


def constant(call: Call) -> Number | None:
    """The number that `call` is, in double precision, if its arguments are numbers."""
    values = []
    for arg in call.args:
        if not isinstance(arg, Number):
            return None
        values.append(np.full(arg.dim, arg.value))
    with np.errstate(all="ignore"):
        result = np.asarray(call.op.value(*values, *call.params))
    first = float(result.flat[0])
    same = bool(np.isfinite(first) and (result == first).all())
    return Number(call.dim, first) if same else None
