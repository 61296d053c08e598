// A tile of columns in shared memory, four by four: component c of four columns lies in one piece.
//
// One load then brings a component of four columns to all lanes of a warp, whatever the number of
// components, and no stride makes the banks collide. Behind them lie the planes, if there are any:
// numbers of the pairs of these columns with all rows, where a thread reads those of its own row. The
// numbers of a row lie together, or those of a column (BY_COLUMNS), whichever are read more often.

constexpr int COLUMN_NUMBERS = 4 * (COLUMN_VALUES + PRODUCTS > 0 ? COLUMN_VALUES + PRODUCTS : 1);
constexpr int ROW_STEP = BY_COLUMNS ? 1 : 4, COLUMN_STEP = BY_COLUMNS ? PLANE_ROW : 1;
constexpr int PLANE_SIZE = 4 * PLANE_ROW; // of the four columns of a group

// A column that is the first of a group, or where the last group ends.
template <class Number> DEVICE Number *group_at(Number *tile, int column) {
    return tile + column / 4 * GROUP_SIZE;
}

DEVICE int place_of(int column, int component) {
    return column / 4 * GROUP_SIZE + component * 4 + column % 4;
}

template <class Number>
DEVICE Number &plane_at(Number *tile, int plane, int column, int row) {
    return group_at(tile, column)[
        COLUMN_NUMBERS + plane * PLANE_SIZE + column % 4 * COLUMN_STEP + row * ROW_STEP];
}

// Puts the numbers of a row with two columns, from the cell of the first one on, which is even.
DEVICE void put_two(Real *cell, const Real *two) {
    if (COLUMN_STEP == 1) *(math::Pair<Real> *)cell = {two[0], two[1]};
    else cell[0] = two[0], cell[COLUMN_STEP] = two[1];
}

// Adds those that are there to the two given.
DEVICE void add_two(const Real *cell, Real *two) {
    if (COLUMN_STEP == 1) {
        const math::Pair<Real> found = *(const math::Pair<Real> *)cell;
        two[0] += found.x, two[1] += found.y;
    } else two[0] += cell[0], two[1] += cell[COLUMN_STEP];
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
    for (int plane = 0; plane < PLANES; ++plane) {
        constexpr int at = COLUMN_VALUES;
        const Real *const cell = &plane_at(group, plane, 0, threadIdx.x);
        const math::Quad<Real> four =
            COLUMN_STEP == 1
                ? *(const math::Quad<Real> *)cell
                : math::Quad<Real>{
                      cell[0], cell[COLUMN_STEP], cell[2 * COLUMN_STEP], cell[3 * COLUMN_STEP]};
        v[0][at + plane] = four.x, v[1][at + plane] = four.y;
        v[2][at + plane] = four.z, v[3][at + plane] = four.w;
    }
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
