"""The PyTorch path: anything with `data_ptr()` and `shape`."""

import numpy as np
import pytest


class Tensor:
    """What the runtime uses of a tensor."""

    def __init__(self, values):
        self.values = values
        self.shape = values.shape

    def data_ptr(self):
        return self.values.ctypes.data


def outputs(M, batch=()):
    return np.full((*batch, M, 1), np.nan, np.float32), np.zeros((*batch, M, 1), np.int64)


def tensors(values):
    return tuple(Tensor(value) for value in values)


@pytest.mark.parametrize("staged", [False, True])
def test_sums_agree_with_dense_sums(kernels, arrays, agree, staged):
    args, outs = arrays(300, 400, "float32", (2,), (1,), (2,)), outputs(300, (2,))
    kernels["float32", staged].call_tensors(tensors(args), tensors(outs))
    agree(outs, args)


def test_torch_tensors_are_taken(kernel, arrays, agree):
    torch = pytest.importorskip("torch")
    args, outs = arrays(30, 40), outputs(30)
    kernel.call_tensors(
        tuple(torch.from_numpy(arg) for arg in args), tuple(torch.from_numpy(out) for out in outs)
    )
    agree(outs, args)


def test_torch_tensors_without_rows_are_taken(kernel):
    torch = pytest.importorskip("torch")
    outs = outputs(3)
    args = torch.ones(3, 1), torch.empty(0, 1), torch.ones(1)
    kernel.call_tensors(args, tuple(torch.from_numpy(out) for out in outs))
    assert outs[0].tolist() == [[-1.5]] * 3


def test_addresses_and_shapes_will_do(kernel, arrays, agree):
    args, outs = arrays(30, 40), outputs(30)
    kernel.run(*([(a.ctypes.data, a.shape) for a in group] for group in (args, outs)))
    agree(outs, args)


def test_shapes_that_do_not_fit_are_value_errors(kernel, arrays):
    args, outs = tensors(arrays(30, 40)), tensors(outputs(30))
    with pytest.raises(ValueError, match="expected 3 inputs, got 2"):
        kernel.call_tensors(args[:2], outs)
    with pytest.raises(ValueError, match="expected 2 outputs, got 1"):
        kernel.call_tensors(args, outs[:1])
    with pytest.raises(ValueError, match=r"output 0: expected shape \(30, 1\), got \(29, 1\)"):
        kernel.call_tensors(args, tensors(outputs(29)))
    with pytest.raises(ValueError, match=r"input 1 \(axis 'j'\): expected shape \(\*batch, N, 1\)"):
        kernel.call_tensors((args[0], Tensor(np.ones((40, 2), np.float32)), args[2]), outs)
    with pytest.raises(ValueError, match="output 0 shares memory with input 0"):
        kernel.call_tensors(args, (args[0], outs[1]))


def test_null_addresses_are_value_errors(kernel, arrays):
    args, outs = tensors(arrays(30, 40)), tensors(outputs(30))
    args[1].data_ptr = lambda: 0
    with pytest.raises(ValueError, match="its address is null"):
        kernel.call_tensors(args, outs)


def test_what_is_no_tensor_raises_its_own_error(kernel, arrays):
    args, outs = tensors(arrays(30, 40)), tensors(outputs(30))
    with pytest.raises(AttributeError, match="data_ptr"):
        kernel.call_tensors((*args[:2], 1.0), outs)
    args[0].shape = [30, 1]
    with pytest.raises(TypeError, match="must be a tuple"):
        kernel.call_tensors(args, outs)
    args[0].shape = (30, "1")
    with pytest.raises(TypeError):
        kernel.call_tensors(args, outs)
    with pytest.raises(TypeError, match="pair"):
        kernel.run([1, 2, 3], [(0, ()), (0, ())])
