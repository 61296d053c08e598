"""How many passes over the pairs a backward pass makes: one for each axis."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from jaxkeops.torch import Genred

ALIASES = ["G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "B = Vj(2)"]


class Sweeps(TorchDispatchMode):
    """Counts the kernels, and keeps the shapes of their results."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        if function is torch.ops.jaxkeops.reduce.default:
            self.shapes.append([tuple(result.shape) for result in results])
        return results


def arrays(*moving):
    sizes = {"G": (1,), "X": (50, 3), "Y": (60, 3), "B": (60, 2)}
    generator = torch.Generator().manual_seed(0)
    return [
        torch.rand(size, generator=generator, requires_grad=name in moving)
        for name, size in sizes.items()
    ]


def sweeps_of(reduction, formula, *moving):
    given = arrays(*moving)
    result = Genred(formula, ALIASES, reduction, axis=1)(*given).sum()
    with Sweeps() as count:
        torch.autograd.grad(result, [array for array in given if array.requires_grad])
    return count.shapes


def test_all_gradients_take_one_pass_for_each_axis():
    formula = "Exp(-G * SqDist(X,Y)) * B"
    # Rows of X and the parameter, then rows of Y with B.
    assert sweeps_of("Sum", formula, *"GXYB") == [[(50, 3), (1,)], [(60, 5)]]
    assert sweeps_of("Sum", formula, *"XB") == [[(50, 3)], [(60, 2)]]
    assert sweeps_of("Sum", formula, *"YB") == [[(60, 5)]]


def test_parameters_never_become_rows():
    formula = "Exp(-G * SqDist(X,Y)) * B"
    assert sweeps_of("Sum", formula, "G") == [[(1,)]]
    assert sweeps_of("Sum", formula, *"GY") == [[(60, 3), (1,)]]


def test_the_passes_of_a_logsumexp():
    assert sweeps_of("LogSumExp", "-G * SqDist(X,Y)", *"GXY") == [[(50, 3), (1,)], [(60, 3)]]


def test_parameters_are_summed_over_rows_that_go_over_panels(rng):
    M, N, D = 70, 5000, 40
    x, y = (torch.tensor(rng.normal(size=(rows, D)) / 6) for rows in (M, N))
    g, e = torch.tensor([0.7]).double().requires_grad_(), torch.tensor(rng.normal(size=(M, 1)))
    reduce = Genred("Exp(-g * SqDist(x, y))", ["g = Pm(1)", f"x = Vi({D})", f"y = Vj({D})"], axis=1)
    (ours,) = torch.autograd.grad(reduce(g, x, y), g, e)
    squared = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    dense = (-squared * torch.exp(-g.detach() * squared) * e).sum()
    torch.testing.assert_close(ours[0], dense, rtol=1e-11, atol=0)


def passes_of(formula, *moving):
    """The shapes of the results of the kernels of the value, then of its gradients."""
    given = arrays(*moving)
    reduce = Genred(formula, ALIASES, axis=1)
    with Sweeps() as count:
        result = reduce(*given)
        value = list(count.shapes)
        torch.autograd.grad(result.sum(), [array for array in given if array.requires_grad])
    return value, count.shapes[len(value) :]


def test_a_sum_of_one_column_keeps_the_slopes_of_its_rows():
    formula = "Exp(-G * SqDist(X,Y)) * Elem(B,0)"
    assert passes_of(formula, "X") == ([[(50, 4)]], [])
    assert passes_of(formula, *"GX") == ([[(50, 5)]], [])
    assert passes_of(formula, *"GXYB") == ([[(50, 5)]], [[(60, 5)]])
    assert passes_of(formula, *"GY") == ([[(50, 1)]], [[(60, 3), (1,)]])


def test_what_is_not_differentiated_keeps_no_slopes():
    formula = "Exp(-G * SqDist(X,Y)) * Elem(B,0)"
    given = arrays(*"GXYB")
    with Sweeps() as count, torch.no_grad():
        Genred(formula, ALIASES, axis=1)(*given)
    assert count.shapes == [[(50, 1)]]
