"""`torch.compile` without a graph break, `torch.export`, and the operation that they record."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys

import pytest
import torch
from torch import func
from torch._dynamo.testing import CompileCounter

from jaxkeops.errors import ArgumentError, JaxKeopsError
from jaxkeops.torch import Genred

in_graph = pytest.mark.parametrize("backend", ["eager", "aot_eager"])


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()


def compiled(function, backend="aot_eager", **options):
    return torch.compile(function, fullgraph=True, backend=backend, **options)


@in_graph
def test_a_compiled_function_and_its_gradients(case, backend, close, rng):
    tensors = case.tensors(rng, requires_grad=True)
    value, expected = compiled(case.mixed, backend)(*tensors), case.dense_mixed(*tensors)
    close(value, expected)
    close(torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors))


@pytest.mark.skipif(not shutil.which("c++"), reason="inductor needs a C++ compiler")
def test_inductor(gaussian_case, close, rng):
    tensors = gaussian_case.tensors(rng)
    close(compiled(gaussian_case.mixed, "inductor")(*tensors), gaussian_case.dense_mixed(*tensors))


@in_graph
def test_compiled_transforms(gaussian_case, backend, close, rng):
    case, tensors = gaussian_case, gaussian_case.tensors(rng)

    def transforms(mixed):
        def all_at_once(x, y, b, p):
            slopes = func.grad(mixed, (0, 1, 2, 3))(x, y, b, p)
            tangent = func.jvp(lambda x: mixed(x, y, b, p), (x,), (x.cos(),))
            rows = func.vmap(mixed, (0, None, None, None))(torch.stack([x, x.cos()]), y, b, p)
            return *slopes, *tangent, rows, func.hessian(mixed)(x, y, b, p)

        return all_at_once

    found = compiled(transforms(case.mixed), backend)(*tensors)
    close(found, transforms(case.dense_mixed)(*tensors))


def test_one_graph_serves_every_number_of_rows(gaussian_case, close, rng):
    counter = CompileCounter()
    function = compiled(gaussian_case.mixed, counter, dynamic=True)
    x, y, b, p = gaussian_case.tensors(rng)
    # Not 3 rows at first: PyTorch takes extents that are equal then, as M and D, for one.
    for rows in (torch.cat([x, x]), x, torch.cat([x, x, x])):
        close(function(rows, y, b, p), gaussian_case.dense_mixed(rows, y, b, p))
    assert counter.frame_count == 1


def test_dynamic_shapes_with_gradients(gaussian_case, close, rng):
    function = compiled(gaussian_case.mixed, dynamic=True)
    for copies in (1, 2):
        x, *others = gaussian_case.tensors(rng, requires_grad=True)
        x = torch.cat([x] * copies)
        value, expected = function(x, *others), gaussian_case.dense_mixed(x, *others)
        close(torch.autograd.grad(value, others), torch.autograd.grad(expected, others))


def test_several_results_and_row_numbers_in_a_compiled_function(rng):
    reduction = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "Min_ArgMin", axis=1)
    x, y = torch.tensor(rng.normal(size=(3, 2))), torch.tensor(rng.normal(size=(4, 2)))
    value, rows = compiled(lambda x, y: reduction(x, y))(x, y)
    expected = ((x[:, None] - y) ** 2).sum(-1).min(-1, keepdim=True)
    torch.testing.assert_close(value, expected.values)
    assert torch.equal(rows, expected.indices)


def test_the_least_values_in_a_compiled_function_and_its_gradients(close, rng):
    nearest = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "KMin_ArgKMin", axis=1, opt_arg=2)

    def far(x, y):
        values, rows = nearest(x, y)
        return torch.sin(values).sum() + y[rows].sum()

    def dense(x, y):
        values, rows = ((x[:, None] - y) ** 2).sum(-1).topk(2, largest=False)
        return torch.sin(values).sum() + y[rows].sum()

    x = torch.tensor(rng.normal(size=(3, 2)), requires_grad=True)
    y = torch.tensor(rng.normal(size=(4, 2)), requires_grad=True)
    value, expected = compiled(far)(x, y), dense(x, y)
    close(value, expected)
    close(torch.autograd.grad(value, (x, y)), torch.autograd.grad(expected, (x, y)))


def test_hidden_results_in_a_compiled_function(close, rng):
    softmax = Genred(
        "-SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "SumSoftMaxWeight", axis=1, formula2="y"
    )

    def total(x, y):
        return torch.sin(softmax(x, y)).sum()

    def dense(x, y):
        return torch.sin(torch.softmax(-((x[:, None] - y) ** 2).sum(-1), -1) @ y).sum()

    x, y = (torch.tensor(rng.normal(size=(n, 2)), requires_grad=True) for n in (3, 4))
    value, expected = compiled(total)(x, y), dense(x, y)
    close(value, expected)
    close(torch.autograd.grad(value, (x, y)), torch.autograd.grad(expected, (x, y)))


def test_a_wrong_shape_is_reported_while_compiling(gaussian_case, rng):
    x, y, b, p = gaussian_case.tensors(rng)
    with pytest.raises((JaxKeopsError, RuntimeError), match=r"x .*takes 3 columns"):
        compiled(gaussian_case.reduction)(x[:, :2], y, b, p)


class Model(torch.nn.Module):
    def __init__(self, reduction, points):
        super().__init__()
        self.reduction = reduction
        self.points = torch.nn.Parameter(points)

    def forward(self, x, b, p):
        return self.reduction(x, self.points, b, p)


def test_an_exported_program_runs_and_takes_any_number_of_rows(gaussian_case, close, rng):
    x, y, b, p = gaussian_case.tensors(rng)
    rows = torch.export.Dim("M", min=2)
    model = Model(gaussian_case.reduction, y)
    exported = torch.export.export(model, (x, b, p), dynamic_shapes=({0: rows}, None, None))
    longer = torch.cat([x, x])
    close(exported.module()(longer, b, p).detach(), gaussian_case.dense(longer, y, b, p))


def test_an_exported_program_can_be_trained(gaussian_case, close, rng):
    x, y, b, p = gaussian_case.tensors(rng)
    module = torch.export.export(Model(gaussian_case.reduction, y), (x, b, p)).module()
    (points,) = module.parameters()
    found = torch.autograd.grad(torch.sin(module(x, b, p)).sum(), points)
    close(found, torch.autograd.grad(gaussian_case.dense_mixed(x, points, b, p), points))


@pytest.mark.parametrize(("name", "count"), [("Min", None), ("KMin", 2), ("LogSumExp", None)])
def test_an_exported_program_of_any_reduction_can_be_trained(name, count, close, rng):
    weight = "Square(y)" if name == "LogSumExp" else None
    aliases = ["x = Vi(2)", "y = Vj(2)", "b = Vj(1)", "p = Pm(1)"]
    made = Genred("p*SqDist(x,y) + b", aliases, name, axis=1, opt_arg=count, formula2=weight)
    x, y, b, p = (torch.tensor(rng.normal(size=size)) for size in ((3, 2), (4, 2), (4, 1), (1,)))
    module = torch.export.export(Model(made, y), (x, b, p)).module()
    (points,) = module.parameters()
    found, expected = torch.sin(module(x, b, p)).sum(), torch.sin(made(x, points, b, p)).sum()
    close(found, expected)
    close(torch.autograd.grad(found, points), torch.autograd.grad(expected, points))


READ = """
import io, sys, torch, jaxkeops.torch
program = torch.export.load(io.BytesIO(sys.stdin.buffer.read()))
x = torch.ones(3, 3, dtype=torch.float64)
b, p = torch.ones(4, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
result = program.module()(x, b, p)
assert torch.equal(result, torch.full_like(result, 4.0)), result
"""


def test_an_exported_program_runs_in_a_process_that_never_saw_the_formula(gaussian_case):
    ones = torch.ones(4, 3, dtype=torch.float64)
    b, p = torch.ones(4, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    exported = torch.export.export(Model(gaussian_case.reduction, ones), (ones[:3].clone(), b, p))
    file = io.BytesIO()
    torch.export.save(exported, file)
    done = subprocess.run(
        [sys.executable, "-c", READ], input=file.getvalue(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp", "Min_ArgMin"])
def test_the_operation_passes_the_checks_of_pytorch(reduction, rng):
    made = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], reduction, axis=1)
    args = [torch.tensor(rng.normal(size=(2, n, 2))) for n in (3, 4)]
    torch.library.opcheck(torch.ops.jaxkeops.reduce.default, (made._formula.text, args, []))
    args[0].requires_grad_()
    torch.library.opcheck(torch.ops.jaxkeops.reduce.default, (made._formula.text, args, []))


def test_the_operation_refuses_tensors_of_two_dtypes(gaussian_case, rng):
    """Kernels see addresses only: of a shorter dtype they would read past the end."""
    x, y, b, p = gaussian_case.tensors(rng)
    text = gaussian_case.reduction._formula.text
    with pytest.raises(ArgumentError, match="argument 1 has float32"):
        torch.ops.jaxkeops.reduce(text, [x, y.float(), b, p], [])


def test_tensors_without_data_give_shapes(gaussian_case, rng):
    metas = [tensor.to("meta") for tensor in gaussian_case.tensors(rng)]
    result = gaussian_case.reduction(*metas)
    assert result.device.type == "meta"
    assert result.shape == (3, 2)
