// A tile of columns in shared memory, four by four: component c of four columns lies in one piece.
//
// One load then brings a component of four columns to all lanes of a warp, whatever the number of
// components, and no stride makes the banks collide. Behind them lie the planes, if there are any:
// numbers of the pairs of these columns with all rows, where a thread reads those of its own row.

constexpr int PLANE_ROW = THREADS + 4;
constexpr int COLUMN_NUMBERS = 4 * (COLUMN_VALUES ? COLUMN_VALUES : 1);
constexpr int GROUP_SIZE = COLUMN_NUMBERS + 4 * PLANES * PLANE_ROW; // numbers

// A column that is the first of a group, or where the last group ends.
template <class Number> DEVICE Number *group_at(Number *tile, int column) {
    return tile + column / 4 * GROUP_SIZE;
}

DEVICE int place_of(int column, int component) {
    return column / 4 * GROUP_SIZE + component * 4 + column % 4;
}

template <class Number>
DEVICE Number &plane_at(Number *tile, int plane, int column, int row) {
    return group_at(tile, column)[COLUMN_NUMBERS + (plane * 4 + column % 4) * PLANE_ROW + row];
}

// Where the groups of four end that are read as such: the columns behind come one by one.
DEVICE int end_of_groups(int first, int last) { return GROUP == 4 ? first + (last - first) / 4 * 4 : first; }

// How a pair is computed: of rows and columns as they are, or as scaled.cuh makes them.
struct Exact {};
struct Scaled {};

DEVICE void put_column(Real *tile, int k, const Real *v) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c)
        tile[place_of(k, c)] = v[c];
}

DEVICE void get_column(const Real *tile, int k, Real *v) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c)
        v[c] = tile[place_of(k, c)];
#pragma unroll
    for (int plane = 0; plane < PLANES; ++plane)
        v[COLUMN_VALUES + plane] = plane_at(tile, plane, k, threadIdx.x);
}

// Four columns that lie together.
DEVICE void get_group(const Real *group, Real (*v)[COLUMN_SLOTS]) {
#pragma unroll
    for (int c = 0; c < COLUMN_VALUES; ++c) {
        const math::Quad<Real> four = *(const math::Quad<Real> *)(group + c * 4);
        v[0][c] = four.x, v[1][c] = four.y, v[2][c] = four.z, v[3][c] = four.w;
    }
#pragma unroll
    for (int plane = 0; plane < PLANES; ++plane)
#pragma unroll
        for (int q = 0; q < 4; ++q)
            v[q][COLUMN_VALUES + plane] = plane_at(group, plane, q, threadIdx.x);
}

// WIDTH components in a row of each of PARTS arrays that lie `apart`.
template <int WIDTH, int PARTS, int SLOTS>
DEVICE void get_parts(const Real *from, int apart, Real (*parts)[SLOTS]) {
#pragma unroll
    for (int part = 0; part < PARTS; ++part)
        if (WIDTH == 4) {
            const math::Quad<Real> four = *(const math::Quad<Real> *)(from + part * apart);
            parts[0][part] = four.x, parts[1 % WIDTH][part] = four.y;
            parts[2 % WIDTH][part] = four.z, parts[3 % WIDTH][part] = four.w;
        } else {
#pragma unroll
            for (int q = 0; q < WIDTH; ++q) parts[q][part] = from[part * apart + q];
        }
}
