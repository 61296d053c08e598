// How a tile of columns comes to shared memory, with its planes.

// What a block has of its rows from the start.
struct BlockRows {
    SweptRows swept;

    DEVICE void start(
        const Arrays &arrays, const Tile &rows, const Real *p, const Real *u, Real *shared) {
        const Staging tile = staging_of(arrays, rows, p, 0, shared);
        share_values(tile, u);
        swept.start(tile);
    }
};

template <int THREADS_OF_BLOCK>
DEVICE void fill_tile(
    const Call &call, const Arrays &arrays, const Tile &rows, const Real *p,
    BlockRows &of_block, Index position, int count, Real *shared) {
    static_assert(THREADS_OF_BLOCK == THREADS && TILE_ROWS == THREADS, "a thread has one row");
    const Staging tile = staging_of(arrays, rows, p, count, shared);
#pragma unroll 1
    for (int k = threadIdx.x; k < TILE_COLUMNS; k += THREADS) {
        // Columns behind the last repeat it: what becomes of them is never read.
        const Index column = column_at(call, rows, position + (k < count ? k : count - 1));
        Real v[COLUMN_SLOTS];
        column_values(arrays, column, p, v);
        put_column(shared, k, v);
        tile.where[k] = column;
        SweptRows::put_column(tile, k, column);
    }
    of_block.swept.walk(tile);
}
