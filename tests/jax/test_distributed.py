"""Two processes, of two devices each, that XLA's gloo joins: `jax.distributed`, for real."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

# Each process checks the part of the result that it has against dense NumPy, and says so.
SCRIPT = """
    import re, sys
    import jax
    import jaxkeops.jax  # before the processes meet: importing it starts no device
    from jaxkeops.jax import Genred

    process, port = int(sys.argv[1]), sys.argv[2]
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 2)
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=process)
    import numpy as np
    from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

    assert (jax.process_count(), len(jax.devices())) == (2, 4)
    mesh = jax.make_mesh((2, 2), ("host", "gpu"), axis_types=(AxisType.Auto,) * 2)
    rng = np.random.default_rng(0)
    x, y, b = (rng.uniform(0.2, 1, shape) for shape in ((8, 3), (12, 3), (12, 2)))
    p = np.array([0.7])
    aliases = ["x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "p = Pm(1)"]
    distance = ((x[:, None] - y) ** 2).sum(-1)

    def place(array, *spec):
        sharding = NamedSharding(mesh, P(*spec))
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def check(name, function, expected, i, j, count):
        arrays = place(x, i), place(y, j), place(b, j), place(p)
        program = jax.jit(function).lower(*arrays).compile()
        found = program(*arrays)
        for shard in found.addressable_shards:
            np.testing.assert_allclose(shard.data, expected[shard.index], rtol=1e-12)
        reduced = len(re.findall(r" all-reduce(?:-start)?\\(", program.as_text()))
        assert reduced == count, (name, reduced)
        assert " all-gather" not in program.as_text()
        print(name, flush=True)

    every = ("host", "gpu")
    gauss = Genred("Exp(-p * SqDist(x, y)) * b", aliases, axis=1)
    total = np.exp(-0.7 * distance) @ b
    check("rows", gauss, total, "host", None, 0)
    check("columns", gauss, total, None, every, 1)
    check("rows in a host, columns over hosts", gauss, total, "gpu", "host", 1)
    nearest = Genred("SqDist(x, y)", aliases, "ArgMin", axis=1)
    check("row numbers", nearest, distance.argmin(1)[:, None], "gpu", "host", 2)
    logs = Genred("-p * SqDist(x, y)", aliases, "LogSumExp", axis=1)
    log = np.log(np.exp(-0.7 * distance).sum(1, keepdims=True))
    check("logarithms", logs, log, None, every, 2)
    slope = jax.grad(lambda y, x, b, p: (gauss(x, y, b, p) ** 2).sum())
    weights = np.exp(-0.7 * distance)[..., None] * 2 * (total @ b.T)[..., None]
    expected = (weights * -1.4 * (y - x[:, None])).sum(0)
    check("gradient", lambda x, y, b, p: slope(y, x, b, p), expected, "gpu", "host", 2)
    ring = jax.shard_map(
        lambda *a: gauss(*a, ring=every),
        mesh=mesh,
        in_specs=(P(every), P(every), P(every), P()),
        out_specs=P(every),
    )
    check("ring", ring, total, every, every, 0)
    jax.distributed.shutdown()
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def test_two_processes_compute_as_one():
    port = str(free_port())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SCRIPT), str(k), port],
            env=os.environ | {"XLA_FLAGS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(2)
    ]
    try:
        said = [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (printed, error) in zip(processes, said, strict=True):
        assert process.returncode == 0, error[-4000:]
        assert printed.split("\n")[-2] == "ring"
