// How a tile of columns comes to shared memory.

// What a block has of its rows beside those in registers.
struct BlockRows {
    DEVICE void start(const Arrays &, const Tile &, const Real *, const Real *, Real *) {}
};

// Fills it with the columns at `count` positions; all threads of the block take part.
template <int THREADS>
DEVICE void fill_tile(
    const Call &call, const Arrays &arrays, const Tile &rows, const Real *p, BlockRows &,
    Index position, int count, Real *tile) {
#pragma unroll 1
    for (int k = threadIdx.x; k < count; k += THREADS) {
        Real v[COLUMN_SLOTS];
        column_values(arrays, column_at(call, rows, position + k), p, v);
        scale_column(tile, v);
        put_column(tile, k, v);
    }
}
