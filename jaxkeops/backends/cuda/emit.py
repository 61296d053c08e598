"""Renders a program as CUDA C++: fixed texts, and between them the parts that are the program's.

The texts of `texts/` hold the schedules. A program gives them constants, and functions for a row, a
column, a pair, and the end of a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ... import ir
from ...dtypes import FLOATS
from ...ir import Centre, Load, Program
from .accumulators import Accumulation, accumulation
from .cut import Cut
from .launch import Launch, Source, Step
from .outputs import output_functions, total_widths
from .pieces import Splits, splits_of
from .planes import planes_of
from .scaling import Scaling, scaling_functions, scaling_of
from .spelling import TYPES
from .sweeps import part_types, piece_function, recomputed_planes, shared_values, sweep_types
from .tile import TileSizes, even, tile_of
from .values import Values, column_function, value_functions, values_of

TEXTS = Path(__file__).parent / "texts"
# Contraction is off: a program says itself which sums of products are rounded once.
OPTIONS = ("--std=c++17", "--fmad=false")
INDEX_BYTES = 8
TILE_BYTES = 6 * INDEX_BYTES  # `Tile` and `RangePair` of texts/call.cuh
PAIR_BYTES = 2 * INDEX_BYTES
DOUBLE_BYTES = 8
COMBINE_THREADS = 256
PLAN_THREADS = 256


def emit(program: Program, cut: Cut, ranged: bool = False) -> Source:
    """The kernels of `program`, whose loops are cut as `cut` says.

    ranged: whether each row takes some columns only, as arrays of the call say. Raises
    `NotByTilesError` for a program with loops that are none of those that tiles of pairs serve.
    """
    values = values_of(program, planes_of(program))
    by_tiles = bool(values.planes.leaves or values.planes.parts)
    scaling = scaling_of(program) if cut.scaled else None
    taken = accumulation(program, values, cut, scaling)
    totals = sum(output.width for _, output in total_widths(program))
    splits = splits_of(program, values.planes, cut)
    tile = tile_of(program, values, splits, cut)
    scratch = by_tiles and bool(program.columns)
    width = splits.width if scratch or splits.of else 0
    parts = [
        prelude(),
        _constants(program, cut, ranged, values, taken, totals, tile, splits, width, scaling),
        *map(_text, ("power_of_two.cuh", "numbers.cuh", "call.cuh")),
        value_functions(program, values, scratch),
        recomputed_planes(program, values),
        *map(_text, ("columns.cuh", "sums.cuh")),
        scaling_functions(program, scaling, values) if scaling else "",
        _text("scaled.cuh" if scaling else "unscaled.cuh"),
        *(
            (
                _text("planes.cuh"),
                _text("lanes.cuh"),
                *map(_text, ("pieces.cuh", "matrix_sweep.cuh") if splits.of else ()),
                sweep_types(program, values, splits),
                part_types(program, values) if values.planes.parts else "",
                shared_values(values),
                _text("fill_planes.cuh"),
            )
            if by_tiles
            else (_text("fill_tile.cuh"),)
        ),
        taken.functions,
        *map(_text, taken.texts),
        output_functions(program, cut, in_memory=taken.lost),
        *map(_text, ("outputs.cuh", "rows.cu", "combine.cu", "fill.cu")),
    ]
    if totals:
        parts.append(_text("totals.cu"))
    if ranged:
        parts.append(_text("plan.cu"))
    if scratch:
        parts += [column_function(program), _text("columns.cu")]
    if splits.of:
        parts += [piece_function(values, splits), _text("pieces.cu")]
    of_columns = (*(["columns"] if scratch else []), *(["pieces"] if splits.of else []))
    launch = _launch(program, cut, ranged, taken, totals, tile.bytes, width, of_columns)
    read = (*(program.columns if scratch else ()), *splits.columns)
    used = {s.slot for s in ir.topological(read) if isinstance(s, Load | Centre)}
    return Source("\n".join(parts), launch, tuple(sorted(used)))


@lru_cache(maxsize=1)
def prelude() -> str:
    """The first part of every text: what an emulator of the machine replaces."""
    return _text("prelude.cuh")


def _launch(
    program: Program,
    cut: Cut,
    ranged: bool,
    taken: Accumulation,
    totals: int,
    tile_bytes: int,
    column_width: int,
    of_columns: Iterable[str],
) -> Launch:
    real = FLOATS[program.dtype].bytes
    warps = max(cut.threads, COMBINE_THREADS) // 32
    columns = max(tile_bytes, warps * DOUBLE_BYTES)
    steps = [
        Step("fill", "rows", COMBINE_THREADS, when="empty"),
        Step("rows", "tiles", cut.threads, columns),
        Step("combine", "rows", COMBINE_THREADS, warps * DOUBLE_BYTES, when="split"),
    ]
    if totals:
        steps.append(Step("totals", "elements", COMBINE_THREADS, warps * DOUBLE_BYTES))
    steps[1:1] = [Step(name, "columns", COMBINE_THREADS) for name in of_columns]
    if ranged:
        # Rows that no block of the ranges names get the value of an empty reduction.
        fill = Step("fill", "rows", COMBINE_THREADS)
        plan = Step("plan", "once", PLAN_THREADS, PLAN_THREADS * INDEX_BYTES)
        steps[1:1] = [fill, plan]
    return Launch(
        steps=tuple(steps),
        tile_rows=cut.tile_rows,
        tile_columns=cut.tile,
        wave_blocks=cut.wave_blocks,
        column_bytes=column_width * real,
        state_bytes=taken.state_values * (1 + taken.lost) * real
        + taken.state_positions * INDEX_BYTES,
        total_bytes=totals * DOUBLE_BYTES,
        tile_bytes=TILE_BYTES if ranged else 0,
        pair_bytes=PAIR_BYTES if ranged else 0,
        keeps_states=taken.keeps_states,
    )


def _text(name: str) -> str:
    return (TEXTS / name).read_text(encoding="utf-8")


def _constants(
    program: Program,
    cut: Cut,
    ranged: bool,
    values: Values,
    taken: Accumulation,
    totals: int,
    tile: TileSizes,
    splits: Splits,
    column_width: int,
    scaling: Scaling | None,
) -> str:
    counts = {
        "PARAMETER": len(values.parameters),
        "ROW": len(values.rows),
        "COLUMN": len(values.columns) + values.planes.count,
        "STATE": taken.state_values,
        "POSITION": taken.state_positions,
        "TOTAL": totals,
    }
    integers = {
        "INPUTS": max(len(program.inputs), 1),
        "OUTPUTS": len(program.outputs),
        "ROWS": cut.rows,
        "THREADS": cut.threads,
        "MIN_BLOCKS": cut.min_blocks,
        "COMBINE_THREADS": COMBINE_THREADS,
        "PLAN_THREADS": PLAN_THREADS,
        "TILE_COLUMNS": cut.tile,
        "CHUNK": cut.chunk,
        "GROUP": cut.group,
        "COLUMN_VALUES": len(values.columns),
        "COLUMN_WIDTH": column_width,
        "PRODUCTS": len(splits.of),
        "PLANES": values.planes.count,
        "PLANE_ROW": tile.plane_row,
        "GROUP_SIZE": tile.group,
        "PAIR_ROWS": cut.pair_rows,
        "STAGED_COMPONENTS": cut.components,
        "STAGED": tile.staged,
        "ROW_WORDS": tile.row_words,
        "PASSES": taken.passes,
        "KEPT": len(values.kept),
        "SCALED": len(scaling.rows) if scaling else 0,
        "SCALES": len(scaling.scales) if scaling else 0,
        "COMMON": even(values.planes.common),
        "STATE_VALUES": counts["STATE"],
        "STATE_POSITIONS": counts["POSITION"],
        "TOTALS": totals,
        # An array of C++ has at least one entry.
        **{f"{name}_SLOTS": max(count, 1) for name, count in counts.items()},
    }
    lines = [
        f"typedef {TYPES[program.dtype]} Real;",
        *(f"constexpr int {name} = {value};" for name, value in integers.items()),
        f"constexpr Index TILE_ROWS = {cut.tile_rows};",
        f"constexpr bool RANGED = {'true' if ranged else 'false'};",
        f"constexpr bool POWERS = {'true' if tile.powers else 'false'};",
        f"constexpr bool BY_COLUMNS = {'true' if values.planes.parts else 'false'};",
        *_typed(taken.constants.items()),
    ]
    stored = f"typedef {TYPES[program.stored]} Stored;"
    halves = ["struct Float16;", "struct BFloat16;"]
    return "\n".join([*halves, *lines, stored, ""])


def _typed(constants: Iterable[tuple[str, str]]) -> list[str]:
    return [f"constexpr {name} = {value};" for name, value in constants]
