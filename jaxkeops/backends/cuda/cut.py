"""How the loops of a CUDA kernel are cut: numbers that a backend reads, and does not choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """A block of `threads` works on `threads * rows` rows, and on `tile` columns at a time.

    rows:       of a thread, kept in registers; each column that is read serves all of them.
    threads:    of a block, a multiple of 32.
    tile:       columns in shared memory at a time, a multiple of `chunk`; they are summed in the
                dtype of the data before the total takes them.
    chunk:      columns that are searched again for an extremum, a multiple of 4.
    group:      columns that are read at once: 4, or 1 where a pair does so much that four copies
                of its code are not worth the time to compile them.
    min_blocks: of one multiprocessor at once: the compiler may then use 65536 / (threads *
                min_blocks) registers.
    register_lists: whether lists of a `Lowest` are in registers, `rows` times their entries; else
                they are in the workspace.
    pair_rows: rows of which a thread computes sums over components, a divisor of `threads`; its
                columns are `tile / pair_rows`.
    components: that are in shared memory at a time, a multiple of 4.
    part_rows, part_columns: of sums that differ by their component alone, those that a thread adds
                up: multiples of 4.
    scaled: whether rows and columns may be scaled, where exponents want that: see texts/scaled.cuh.
    passes: whether all columns are taken again for each share of sums, where there are more than a
                block holds; else each tile goes to the workspace.
    matrix_units: whether units that multiply matrices of float16 take sums of products of a row and
                a column, where a GPU has them: for float32, and `tile` a multiple of 16.
    wave_blocks: blocks of `threads` that fill a multiprocessor, see `Launch`.
    """

    rows: int = 4
    threads: int = 128
    tile: int = 256
    chunk: int = 32
    group: int = 4
    min_blocks: int = 3
    register_lists: bool = True
    pair_rows: int = 8
    components: int = 16
    part_rows: int = 8
    part_columns: int = 8
    scaled: bool = False
    passes: bool = True
    matrix_units: bool = False
    wave_blocks: int = 8

    @property
    def tile_rows(self) -> int:
        return self.rows * self.threads
