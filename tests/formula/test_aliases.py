"""Declarations: their forms, their positions, and what is refused."""

from __future__ import annotations

import pytest

from jaxkeops.errors import ArgumentTypeError, FormulaError, FormulaSyntaxError
from jaxkeops.formula.aliases import Declaration, declare, parse_alias, read_formulas


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = Vi(3)", Declaration("x", 5, 3, "i")),
        ("x=Vi(3)", Declaration("x", 5, 3, "i")),
        ("  x  =  Vi ( 0 , 3 )  ", Declaration("x", 0, 3, "i")),
        ("y = Vj(1,3)", Declaration("y", 1, 3, "j")),
        ("p = Pm(2)", Declaration("p", 5, 2, "p")),
        ("p = Pm(0,1)", Declaration("p", 0, 1, "p")),
        ("Vi(3)", Declaration(None, 5, 3, "i")),
        ("Vj(2,3)", Declaration(None, 2, 3, "j")),
        ("Var(0,3,0)", Declaration(None, 0, 3, "i")),
        ("x = Var(4,3,1)", Declaration("x", 4, 3, "j")),
        ("x = Var(4,3,2)", Declaration("x", 4, 3, "p")),
        ("x = Vx(3)", Declaration("x", 5, 3, "i")),
        ("y = Vy(1,3)", Declaration("y", 1, 3, "j")),
        ("_x1 = Vi(3)", Declaration("_x1", 5, 3, "i")),
        ("Exp = Vi(3)", Declaration("Exp", 5, 3, "i")),
    ],
)
def test_forms_of_a_declaration(text, expected):
    assert parse_alias(text, 5) == expected


@pytest.mark.parametrize(
    ("text", "column", "kind", "said"),
    [
        ("", 0, FormulaSyntaxError, "Expected Vi, Vj, Pm or Var, got the end"),
        ("x", 0, FormulaSyntaxError, "Expected Vi, Vj, Pm or Var, got 'x'"),
        ("x = ", 4, FormulaSyntaxError, "got the end"),
        ("x = Wi(3)", 4, FormulaSyntaxError, "got 'Wi'"),
        ("3 = Vi(3)", 0, FormulaSyntaxError, "Expected a name"),
        ("x = Vi", 6, FormulaSyntaxError, "Expected '('"),
        ("x = Vi(", 7, FormulaSyntaxError, "Expected an integer"),
        ("x = Vi()", 7, FormulaSyntaxError, "Expected an integer"),
        ("x = Vi(3.5)", 7, FormulaSyntaxError, "Expected an integer"),
        ("x = Vi(-1,3)", 7, FormulaSyntaxError, "Expected an integer"),
        ("x = Vi(3,)", 9, FormulaSyntaxError, "Expected an integer"),
        ("x = Vi(3(4)", 8, FormulaSyntaxError, "Expected ',' or ')'"),
        ("x = Vi(3", 8, FormulaSyntaxError, "Expected ',' or ')'"),
        ("x = Vi(3) + 1", 10, FormulaSyntaxError, "Expected nothing more"),
        ("x = Vi(1,2,3)", 4, FormulaError, "got 3 numbers"),
        ("x = Var(1,2)", 4, FormulaError, "got 2 numbers"),
        ("x = Var(0,3,3)", 4, FormulaError, "category"),
        ("x = Vi(0)", 4, FormulaError, "at least 1"),
        ("x = Vi(3) ; y", 10, FormulaSyntaxError, "';'"),
    ],
)
def test_a_refusal_says_why_and_points_at_the_fault(text, column, kind, said):
    with pytest.raises(FormulaError) as caught:
        parse_alias(text, 0)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert said in message
    assert message.endswith(f"\n    {text}\n    {' ' * column}^")


def test_a_declaration_that_is_not_a_string_is_refused():
    with pytest.raises(ArgumentTypeError, match="got int"):
        declare([3])  # type: ignore[list-item]


def test_one_string_instead_of_a_list_is_refused():
    with pytest.raises(ArgumentTypeError, match="a list of strings"):
        declare("x = Vi(3)")


@pytest.mark.parametrize("kind", [list, tuple])
def test_any_sequence_is_taken_and_left_as_it_was(kind):
    aliases = kind(["x = Vi(3)"])
    _, arrays = read_formulas(["x + Var(1,3,1)"], aliases)
    assert len(arrays) == 2
    assert aliases == kind(["x = Vi(3)"])


def test_arrays_are_in_the_order_of_their_positions_not_of_the_list():
    _, arrays = read_formulas(["x+y"], ["y = Vj(1,3)", "x = Vi(0,3)"])
    assert [(var.slot, var.axis) for var in arrays] == [(0, "i"), (1, "j")]


def test_of_two_declarations_of_one_name_the_last_has_it_and_both_keep_their_arrays():
    (node,), arrays = read_formulas(["x"], ["x = Vi(3)", "x = Vj(2)"])
    assert node is arrays[1]
    assert len(arrays) == 2


def test_two_names_may_share_an_array():
    (node,), arrays = read_formulas(["x + z"], ["x = Vi(0,3)", "z = Vi(0,3)"])
    assert node.dim == 3
    assert len(arrays) == 1


def test_an_array_declared_in_two_ways_is_refused():
    with pytest.raises(FormulaError, match=r"'y = Vi\(0,4\)' does not agree with Vi\(0,3\)"):
        declare(["x = Vi(3)", "y = Vi(0,4)"])


def test_a_gap_in_the_positions_is_refused():
    with pytest.raises(FormulaError, match=r"Nothing says what array 0 is"):
        read_formulas(["x"], ["x = Vi(1,3)"])


def test_formulas_may_write_out_all_their_variables():
    _, arrays = read_formulas(["Var(0,3,0)*Var(1,3,1)"], [])
    assert [(var.dim, var.axis) for var in arrays] == [(3, "i"), (3, "j")]


def test_variables_written_out_in_either_formula_count():
    nodes, arrays = read_formulas(["x", "Var(1,2,1)"], ["x = Vi(3)"])
    assert [node.dim for node in nodes] == [3, 2]
    assert len(arrays) == 2


def test_a_variable_that_only_grad_names_is_an_array():
    (node,), arrays = read_formulas(["Grad(x, Var(1,2,1), x)"], ["x = Vi(3)"])
    assert node.dim == 2
    assert len(arrays) == 2


def test_an_unused_declaration_is_an_array():
    _, arrays = read_formulas(["x"], ["x = Vi(3)", "Vj(2)"])
    assert len(arrays) == 2


def test_no_formula_and_no_declaration_is_no_array():
    assert read_formulas([], []) == ((), ())
