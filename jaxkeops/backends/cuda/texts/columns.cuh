// A tile of columns in shared memory, four by four: component c of four columns lies in one piece.
//
// One load then brings a component of four columns to all lanes of a warp, whatever the number of
// components, and no stride makes the banks collide.

constexpr int GROUP_SIZE = 4 * COLUMN_SLOTS; // numbers

DEVICE int place_of(int column, int component) {
    return column / 4 * GROUP_SIZE + component * 4 + column % 4;
}

// Where the groups of four end that are read as such: the columns behind come one by one.
DEVICE int end_of_groups(int first, int last) { return GROUP == 4 ? first + (last - first) / 4 * 4 : first; }

DEVICE void put_column(Real *tile, int k, const Real *v) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c)
        tile[place_of(k, c)] = v[c];
}

DEVICE void get_column(const Real *tile, int k, Real *v) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c)
        v[c] = tile[place_of(k, c)];
}

// Four columns that lie together.
DEVICE void get_group(const Real *group, Real (*v)[COLUMN_SLOTS]) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c) {
        const math::Quad<Real> four = *(const math::Quad<Real> *)(group + c * 4);
        v[0][c] = four.x, v[1][c] = four.y, v[2][c] = four.z, v[3][c] = four.w;
    }
}

// Fills a tile with the columns at `count` positions; all threads of the block take part.
template <int THREADS>
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
