"""Shapes of arguments: what is accepted, what is completed, and what each refusal says."""

from __future__ import annotations

import pytest

from jaxkeops.errors import ArgumentError
from jaxkeops.frontend.shapes import fit
from jaxkeops.ir import Input

INPUTS = [Input("i", 3), Input("j", 3), Input("p", 2)]
NAMES = ["x", "y", "p"]


@pytest.mark.parametrize(
    ("shapes", "arrays", "batch"),
    [
        ([(5, 3), (7, 3), (2,)], [(5, 3), (7, 3), (2,)], ()),
        ([(5, 3), (7, 3), (1, 2)], [(5, 3), (7, 3), (2,)], ()),
        ([(4, 5, 3), (7, 3), (2,)], [(4, 5, 3), (1, 7, 3), (1, 2)], (4,)),
        ([(4, 5, 3), (1, 7, 3), (4, 2)], [(4, 5, 3), (1, 7, 3), (4, 2)], (4,)),
        ([(4, 5, 3), (1, 7, 3), (4, 1, 2)], [(4, 5, 3), (1, 7, 3), (4, 2)], (4,)),
        ([(6, 1, 5, 3), (4, 7, 3), (2,)], [(6, 1, 5, 3), (1, 4, 7, 3), (1, 1, 2)], (6, 4)),
        ([(5, 3), (7, 3), (4, 2)], [(1, 5, 3), (1, 7, 3), (4, 2)], (4,)),
        ([(0, 3), (7, 3), (2,)], [(0, 3), (7, 3), (2,)], ()),
        ([(0, 5, 3), (1, 7, 3), (2,)], [(0, 5, 3), (1, 7, 3), (1, 2)], (0,)),
    ],
)
def test_shapes_follow_numpy_broadcasting(shapes, arrays, batch):
    fitted = fit(INPUTS, shapes, NAMES)
    assert list(fitted.arrays) == arrays
    assert fitted.batch == batch
    assert fitted.result(9) == (*batch, shapes[0][-2], 9)


def test_a_parameter_of_dim_1_may_have_no_axes():
    assert fit([Input("p", 1)], [()], ["g"]).arrays == ((1,),)


def test_without_rows_there_is_one_row():
    fitted = fit([Input("p", 2)], [(2,)], ["p"])
    assert (fitted.M, fitted.N) == (1, 1)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(5, 3), (7, 3)], r"takes 3 arrays \(x, y, p\), got 2"),
        ([(5, 2), (7, 3), (2,)], r"x .*takes 3 columns, got 2"),
        ([(5, 3), (7, 4), (2,)], r"y .*takes 3 columns, got 4"),
        ([(3,), (7, 3), (2,)], r"x takes an array of shape \(\.\.\., rows, 3\)"),
        ([(5, 3), (7, 3), (3,)], r"p, a parameter, takes an array of shape \(2,\)"),
        ([(5, 3), (7, 3), ()], "p, a parameter"),
        ([(2, 5, 3), (3, 7, 3), (2,)], r"Batch axis 0 is 2 long in x and 3 in y"),
        ([(2, 5, 3), (0, 7, 3), (2,)], r"Batch axis 0 is 2 long in x and 0 in y"),
    ],
)
def test_a_misfit_names_the_array(shapes, message):
    with pytest.raises(ArgumentError, match=message):
        fit(INPUTS, shapes, NAMES)


def test_rows_of_one_axis_must_agree():
    with pytest.raises(ArgumentError, match=r"one number of rows: x has 5, z has 6"):
        fit([Input("i", 3), Input("i", 1)], [(5, 3), (6, 1)], ["x", "z"])
