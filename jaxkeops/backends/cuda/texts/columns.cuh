// A tile of columns in shared memory, four by four: component c of four columns lies in one piece.
//
// One load then brings a component of four columns to all lanes of a warp, whatever the number of
// components, and no stride makes the banks collide.

DEVICE void put_column(Real *tile, int k, const Real *v) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c)
        tile[(k / 4 * COLUMN_VALUES + c) * 4 + k % 4] = v[c];
}

DEVICE void get_column(const Real *tile, int k, Real *v) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c)
        v[c] = tile[(k / 4 * COLUMN_VALUES + c) * 4 + k % 4];
}

// Columns k to k + 3, for k a multiple of four.
DEVICE void get_quad(const Real *tile, int k, Real (*v)[COLUMN_SLOTS]) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c) {
        const math::Quad<Real> four = *(const math::Quad<Real> *)(tile + k * COLUMN_VALUES + c * 4);
        v[0][c] = four.x, v[1][c] = four.y, v[2][c] = four.z, v[3][c] = four.w;
    }
}

// Fills a tile with the columns at `count` positions; all threads of the block take part.
DEVICE void fill_tile(
    const Call &call, const Arrays &arrays, const Tile &rows, const Real *p, Index position,
    int count, Real *tile) {
#pragma unroll 1
    for (int k = threadIdx.x; k < count; k += THREADS) {
        Real v[COLUMN_SLOTS];
        column_values(arrays, column_at(call, rows, position + k), p, v);
        put_column(tile, k, v);
    }
}
