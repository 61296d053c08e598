// The argument of every kernel, and what a block makes of it: its rows, columns and arrays.

struct Call {
    Index M, N;               // kept rows, reduced rows
    Index elements;           // of the batch
    Index tiles;              // row tiles of an element
    Index splits;             // into which the columns are cut
    Index split_columns;      // of a split, without ranges
    Index extents[4];         // of the batch axes, the last one fastest
    Index scratch_strides[4]; // in scratches
    void *scratch;            // (scratches, N, COLUMN_WIDTH), if values of columns are kept
    void *states;             // what each split holds for each row: see states.cuh
    void *totals;             // (elements, tiles, TOTALS) sums over rows, of doubles
    void *range_tiles;        // (tiles,) of Tile
    void *range_pairs;        // (range_columns,) of RangePair
    Index range_blocks, range_columns;
    Index range_bytes;        // of a number in the three arrays below
    const void *row_blocks;   // (range_blocks, 2)
    const void *ends;         // (range_blocks,)
    const void *column_blocks; // (range_columns, 2)
    void *outputs[OUTPUTS];
    const void *inputs[INPUTS]; // of element 0
    Index strides[INPUTS][4];   // in bytes
};

// Which element of the batch a block works on, and which tile of its rows. A grid has less than
// 2^31 blocks: 64 bits would cost the compiler more than the kernel.
struct Block {
    unsigned element, tile;
};

DEVICE Block block_of(const Call &call) {
    const unsigned tiles = (unsigned)call.tiles;
    return {blockIdx.x / tiles, blockIdx.x % tiles};
}

// The inputs of one element of the batch.
struct Arrays {
    const Stored *input[INPUTS];
    const Real *scratch; // what was computed once for each column
    Index columns;       // of an input
};

// About the middle of the columns, of one component: the mean of four of them.
DEVICE Real centre_of(const Stored *component, Index dim, Index columns) {
    Real sum = 0;
#pragma unroll
    for (int n = 0; n < 4; ++n) sum += Real(get(component + columns * n / 4 * dim));
    return sum * Real(0.25);
}

DEVICE Arrays arrays_of(const Call &call, unsigned element) {
    Index offsets[INPUTS] = {}, scratch = 0;
#pragma unroll 1
    for (int axis = 3; axis >= 0 && element; --axis) {
        const unsigned extent = (unsigned)call.extents[axis], digit = element % extent;
        element /= extent;
#pragma unroll
        for (int k = 0; k < INPUTS; ++k) offsets[k] += digit * call.strides[k][axis];
        if (COLUMN_WIDTH) scratch += digit * call.scratch_strides[axis];
    }
    Arrays arrays;
    arrays.scratch = (const Real *)call.scratch + scratch * call.N * COLUMN_WIDTH;
    arrays.columns = call.N;
#pragma unroll
    for (int k = 0; k < INPUTS; ++k)
        arrays.input[k] = (const Stored *)((const char *)call.inputs[k] + offsets[k]);
    return arrays;
}

// Rows that share their columns. Its columns have positions: without ranges a position is the
// column itself, with ranges it counts through the column blocks of all row blocks.
struct Tile {
    Index begin, end;                     // rows
    Index first_position, last_position;  // columns
    Index first_pair, last_pair;          // column blocks, in `range_pairs`
};

// A column block: which column stands at its first position.
struct RangePair {
    Index position, column;
};

DEVICE Index smaller(Index a, Index b) { return a < b ? a : b; }

// A tile of `rows` rows, without ranges; empty beyond the last row.
DEVICE Tile dense_tile(const Call &call, Index tile, Index rows) {
    const Index begin = smaller(tile * rows, call.M);
    return {begin, smaller(begin + rows, call.M), 0, call.N, 0, 0};
}

DEVICE Tile range_tile(const Call &call, Index tile) {
    return ((const Tile *)call.range_tiles)[tile];
}

// Rows of a block where it does not matter which has which: `rows` from `first` on, and again after
// each `step`, before the end of the tile. Blocks take turns, which asks for no division: one of 64
// bits would be the longest part of such a kernel.
struct Walk {
    Tile tile;
    Index first, step;
};

DEVICE Walk walk_of(const Call &call, unsigned tile, int rows) {
    if (RANGED) {
        const Tile own = range_tile(call, tile);
        return {own, own.begin, rows};
    }
    return {{0, call.M, 0, call.N, 0, 0}, tile * (Index)rows, call.tiles * rows};
}

// The share of a tile's positions that one split takes, [first, last).
struct Share {
    Index first, last;
};

DEVICE Share share_of(const Call &call, const Tile &tile, Index split) {
    const Index all = tile.last_position - tile.first_position;
    Index each = call.split_columns;
    if (RANGED) {
        each = (all + call.splits - 1) / call.splits;
        each = (each + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    }
    const Index first = smaller(split * each, all), last = smaller(first + each, all);
    return {tile.first_position + first, tile.first_position + last};
}

// The column at a position: the last column block that starts there or before.
DEVICE Index column_at(const Call &call, const Tile &tile, Index position) {
    if (!RANGED) return position;
    const RangePair *pairs = (const RangePair *)call.range_pairs;
    Index low = tile.first_pair, high = tile.last_pair;
    while (high - low > 1) {
        const Index middle = (low + high) / 2;
        (pairs[middle].position <= position ? low : high) = middle;
    }
    return pairs[low].column + (position - pairs[low].position);
}
