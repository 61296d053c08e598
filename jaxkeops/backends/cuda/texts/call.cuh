// The argument of every kernel, and what a block makes of it: its rows, columns and arrays.

struct Call {
    Index M, N;               // kept rows, reduced rows
    Index elements;           // of the batch
    Index tiles;              // row tiles of an element
    Index splits;             // into which the columns are cut
    Index split_columns;      // of a split, without ranges
    Index extents[4];         // of the batch axes, the last one fastest
    Index scratch_strides[4]; // unused: values of columns are made as they enter a tile
    void *scratch;
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

// The inputs of one element of the batch.
struct Arrays {
    const Stored *input[INPUTS];
};

DEVICE Arrays arrays_of(const Call &call, Index element) {
    Index offsets[INPUTS] = {};
#pragma unroll
    for (int axis = 3; axis >= 0; --axis) {
        if (call.extents[axis] == 1) continue;
        const Index digit = element % call.extents[axis];
        element /= call.extents[axis];
#pragma unroll
        for (int k = 0; k < INPUTS; ++k) offsets[k] += digit * call.strides[k][axis];
    }
    Arrays arrays;
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

// The tile of rows that a block works on; none (begin == end) beyond the last.
DEVICE Tile tile_of(const Call &call, Index tile) {
    if (RANGED) return ((const Tile *)call.range_tiles)[tile];
    const Index begin = smaller(tile * TILE_ROWS, call.M);
    return {begin, smaller(begin + TILE_ROWS, call.M), 0, call.N, 0, 0};
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
