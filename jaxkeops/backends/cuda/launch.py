"""How the functions of a CUDA text are launched, as plain data: docs/design/cuda.md explains it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One function of the text, and over what it runs.

    grid: "tiles", "rows", "columns", "elements" or "once". when: "always", "split" or "empty".
    threads: of a block. shared_bytes: of dynamic shared memory, for a block.
    """

    function: str
    grid: str
    threads: int
    shared_bytes: int = 0
    when: str = "always"


@dataclass(frozen=True)
class Launch:
    """The steps of one reduction, in order, and the sizes that they agree on.

    tile_rows:    rows of a block in the grids `tiles` and `rows`.
    tile_columns: splits of the columns are multiples of this.
    wave_blocks:  blocks of the grid `tiles` that fill a multiprocessor; 0: never split.

    Of the workspace, in bytes: column_bytes for each column of a scratch; state_bytes for each row
    and split; total_bytes for each tile; tile_bytes for each tile, with ranges; pair_bytes for each
    block of columns of the ranges. 0 where there is none.
    keeps_states: whether there are states, of one split, where the columns are not split.
    """

    steps: tuple[Step, ...]
    tile_rows: int
    tile_columns: int
    wave_blocks: int = 0
    column_bytes: int = 0
    state_bytes: int = 0
    total_bytes: int = 0
    tile_bytes: int = 0
    pair_bytes: int = 0
    keeps_states: bool = False


@dataclass(frozen=True)
class Source:
    """A CUDA C++ text and its launch.

    column_inputs: slots of the j and p inputs that a step over columns reads.
    """

    text: str
    launch: Launch
    column_inputs: tuple[int, ...] = ()
