"""How a call on a GPU is timed: many are started before one wait; the median of such samples."""

from __future__ import annotations

import math
import time
from statistics import median

from .engines import Engine

SHORTEST = 0.05  # seconds of a sample
ROUNDS = 5


def once(engine: Engine) -> tuple[float, object]:
    """Seconds of one call, with its wait, and its result."""
    start = time.perf_counter()
    result = engine.start()
    engine.wait(result)
    return time.perf_counter() - start, result


def seconds(engine: Engine, rounds: int = ROUNDS, limit: float = math.inf) -> float:
    """Of one call: the median of samples, which end when `limit` seconds are spent.

    The first call, which compiles, must have been made before.
    """
    begun = time.perf_counter()
    took, _ = once(engine)
    repeats = max(1, math.ceil(SHORTEST / max(took, 1e-6)))
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            result = engine.start()
        engine.wait(result)
        samples.append((time.perf_counter() - start) / repeats)
        if time.perf_counter() - begun > limit:
            break
    return median(samples)
