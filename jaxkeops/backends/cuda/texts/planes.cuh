// Sums over many components for all pairs of a tile, left in planes behind the columns.
//
// A thread takes PAIR_ROWS rows and PAIR_COLUMNS columns, so that a number that it reads from shared
// memory serves several pairs. Some components at a time are staged there, of all rows and columns.

constexpr int THREADS_ACROSS = PAIR_ROWS; // a block has as many rows as threads
constexpr int THREADS_DOWN = THREADS / THREADS_ACROSS;
constexpr int PAIR_COLUMNS = TILE_COLUMNS / THREADS_ACROSS;
// Four numbers more than are used: 16 bytes of neighbouring rows then lie in different banks.
constexpr int STAGED_ROW = STAGED_COMPONENTS + 4;

// A tile, and where the parts of shared memory are that serve it.
struct Staging {
    const Arrays &arrays;
    const Tile &rows;
    const Real *p;
    int count;          // of columns, at most TILE_COLUMNS
    Real *columns;      // see columns.cuh
    Real *staged;       // some components of all rows and columns
    Real *row_words;    // of pieces, see matrix_sweep.cuh
    Real *kept;         // (KEPT, TILE_ROWS), of rows
    Real *factors;      // (2, TILE_ROWS), see powers.cuh
    Real *common;       // the same for all pairs, of each component: see `share_common`
    Index *where;       // (TILE_COLUMNS,) which columns these are
};

DEVICE Staging staging_of(
    const Arrays &arrays, const Tile &rows, const Real *p, int count, Real *shared) {
    Real *const staged = shared + TILE_COLUMNS / 4 * GROUP_SIZE;
    Real *const row_words = staged + STAGED, *const kept = row_words + ROW_WORDS * THREADS;
    Real *const factors = kept + KEPT * TILE_ROWS;
    Real *const common = factors + (POWERS ? 2 * TILE_ROWS : 0);
    return {arrays, rows, p, count, shared, staged, row_words, kept, factors, common, (Index *)(common + COMMON)};
}

template <class Sweep> DEVICE void share_common(const Staging &tile) {
#pragma unroll 1
    for (int c = threadIdx.x; c < Sweep::COUNT; c += THREADS) {
        Real parts[Sweep::COMMON_PARTS ? Sweep::COMMON_PARTS : 1];
        Sweep::common_parts(tile.arrays, c, tile.p, parts);
#pragma unroll
        for (int part = 0; part < Sweep::COMMON_PARTS; ++part)
            tile.common[Sweep::COMMON + part * Sweep::COUNT + c] = parts[part];
    }
}

// Reads four components in a row of each part, for one row or column of the tile.
template <class Sweep, bool IS_ROW>
DEVICE void stage_four(const Staging &tile, int place, int first, Real *to) {
    constexpr int PARTS = IS_ROW ? Sweep::ROW_PARTS : Sweep::COLUMN_PARTS;
    const Index at = IS_ROW ? smaller(tile.rows.begin + place, tile.rows.end - 1)
                            : tile.where[place];
    Real parts[4][PARTS ? PARTS : 1];
#pragma unroll
    for (int q = 0; q < 4; ++q) {
        const int c = Sweep::COUNT % 4 && first + q >= Sweep::COUNT ? Sweep::COUNT - 1 : first + q;
        if (IS_ROW) Sweep::row_parts(tile.arrays, at, c, tile.p, tile.kept + place,
                                        tile.common + Sweep::COMMON, parts[q]);
        else Sweep::column_parts(tile.arrays, at, c, tile.p, parts[q]);
    }
#pragma unroll
    for (int part = 0; part < PARTS; ++part)
        *(math::Quad<Real> *)(to + part * (IS_ROW ? TILE_ROWS : TILE_COLUMNS) * STAGED_ROW) = {
            parts[0][part], parts[1][part], parts[2][part], parts[3][part]};
}

template <class Sweep, int UNROLLED> DEVICE void stage(const Staging &tile, int first) {
    constexpr int FOURS = STAGED_COMPONENTS / 4;
    Real *const columns = tile.staged + Sweep::ROW_PARTS * TILE_ROWS * STAGED_ROW;
#pragma unroll UNROLLED
    for (int turn = 0; turn < FOURS; ++turn) {
        const int k = turn * THREADS + threadIdx.x, c = k % FOURS * 4, place = k / FOURS;
        if (Sweep::COUNT % STAGED_COMPONENTS && first + c >= Sweep::COUNT) continue;
        stage_four<Sweep, true>(tile, place, first + c, tile.staged + place * STAGED_ROW + c);
    }
#pragma unroll UNROLLED
    for (int turn = 0; turn < (TILE_COLUMNS * FOURS + THREADS - 1) / THREADS; ++turn) {
        const int k = turn * THREADS + threadIdx.x, c = k % FOURS * 4, place = k / FOURS;
        if (TILE_COLUMNS * FOURS % THREADS && place >= TILE_COLUMNS) continue;
        if (Sweep::COUNT % STAGED_COMPONENTS && first + c >= Sweep::COUNT) continue;
        stage_four<Sweep, false>(tile, place, first + c, columns + place * STAGED_ROW + c);
    }
}

// Adds WIDTH components, of those staged from `c` on, to the sums of this thread's pairs with AT_ONCE
// of its columns, from number `start` on.
template <class Sweep, int WIDTH, int AT_ONCE>
DEVICE void add_components(
    const Staging &tile, int c, int start, Real (*sum)[AT_ONCE][Sweep::SUMS]) {
    constexpr int XS = Sweep::ROW_PARTS ? Sweep::ROW_PARTS : 1;
    constexpr int YS = Sweep::COLUMN_PARTS ? Sweep::COLUMN_PARTS : 1;
    const int column = threadIdx.x % THREADS_ACROSS + start * THREADS_ACROSS;
    const Real *const rows =
        tile.staged + threadIdx.x / THREADS_ACROSS * STAGED_ROW + c;
    const Real *const columns = tile.staged + Sweep::ROW_PARTS * TILE_ROWS * STAGED_ROW +
                                column * STAGED_ROW + c;
    Real x[PAIR_ROWS][WIDTH][XS];
#pragma unroll
    for (int r = 0; r < PAIR_ROWS; ++r)
        get_parts<WIDTH, Sweep::ROW_PARTS>(
            rows + r * THREADS_DOWN * STAGED_ROW, TILE_ROWS * STAGED_ROW, x[r]);
#pragma unroll
    for (int j = 0; j < AT_ONCE; ++j) {
        Real y[WIDTH][YS];
        get_parts<WIDTH, Sweep::COLUMN_PARTS>(
            columns + j * THREADS_ACROSS * STAGED_ROW, TILE_COLUMNS * STAGED_ROW, y);
#pragma unroll
        for (int q = 0; q < WIDTH; ++q)
#pragma unroll
            for (int r = 0; r < PAIR_ROWS; ++r) Sweep::step(tile.p, x[r][q], y[q], sum[r][j]);
    }
}

// Leaves sums in planes; if ONLY_NAN, where a plane has NaN. Where sums are to be checked, a plane
// takes what the check makes of them. Whether all pass.
template <class Sweep, bool ONLY_NAN, int AT_ONCE>
DEVICE bool put_sums(const Staging &tile, int start, Real (*sum)[AT_ONCE][Sweep::SUMS]) {
    const int row = threadIdx.x / THREADS_ACROSS;
    const int column = threadIdx.x % THREADS_ACROSS + start * THREADS_ACROSS;
    bool good = true;
    Real u[PAIR_ROWS][Sweep::ROW_GIVEN ? Sweep::ROW_GIVEN : 1];
#pragma unroll
    for (int r = 0; r < PAIR_ROWS; ++r)
        Sweep::row_given(tile.kept + row + r * THREADS_DOWN, u[r]);
#pragma unroll
    for (int j = 0; j < AT_ONCE; ++j) {
        Real v[Sweep::COLUMN_GIVEN ? Sweep::COLUMN_GIVEN : 1];
        Sweep::column_given(tile.columns + place_of(column + j * THREADS_ACROSS, 0), v);
#pragma unroll
        for (int r = 0; r < PAIR_ROWS; ++r) {
            good &= Sweep::passes(tile.p, u[r], v, sum[r][j]);
#pragma unroll
            for (int s = 0; s < Sweep::SUMS; ++s) {
                Real &cell = plane_at(
                    tile.columns, Sweep::PLANE + s, column + j * THREADS_ACROSS,
                    row + r * THREADS_DOWN);
                if (!ONLY_NAN || !(cell == cell)) cell = sum[r][j][s];
            }
        }
    }
    return good;
}

// Makes NaN of what does not pass: each thread of its own row.
template <class Sweep> DEVICE void mark_plane(const Staging &tile) {
    Real u[Sweep::ROW_GIVEN ? Sweep::ROW_GIVEN : 1];
    Sweep::row_given(tile.kept + threadIdx.x, u);
#pragma unroll 1
    for (int column = 0; column < TILE_COLUMNS; ++column) {
        Real v[Sweep::COLUMN_GIVEN ? Sweep::COLUMN_GIVEN : 1], sum[Sweep::SUMS];
        Sweep::column_given(tile.columns + place_of(column, 0), v);
#pragma unroll
        for (int s = 0; s < Sweep::SUMS; ++s)
            sum[s] = plane_at(tile.columns, Sweep::PLANE + s, column, threadIdx.x);
        Sweep::mark(tile.p, u, v, sum);
#pragma unroll
        for (int s = 0; s < Sweep::SUMS; ++s)
            plane_at(tile.columns, Sweep::PLANE + s, column, threadIdx.x) = sum[s];
    }
}

// Computes the sums of all pairs of the tile, and puts them. Whether any is NaN for its check.
template <class Sweep, bool ONLY_NAN> DEVICE bool sweep(const Staging &tile) {
    // What is seldom done gets less code, and fewer registers: some of the columns, one component.
    constexpr int SHARE = !ONLY_NAN ? 1 : PAIR_COLUMNS % 4 == 0 ? 4 : PAIR_COLUMNS % 2 == 0 ? 2 : 1;
    constexpr int AT_ONCE = PAIR_COLUMNS / SHARE;
    bool good = true;
#pragma unroll 1
    for (int start = 0; start < PAIR_COLUMNS; start += AT_ONCE) {
        Real sum[PAIR_ROWS][AT_ONCE][Sweep::SUMS];
#pragma unroll
        for (int r = 0; r < PAIR_ROWS; ++r)
#pragma unroll
            for (int j = 0; j < AT_ONCE; ++j)
#pragma unroll
                for (int s = 0; s < Sweep::SUMS; ++s) sum[r][j][s] = 0;
#pragma unroll 1
        for (int first = 0; first < Sweep::COUNT; first += STAGED_COMPONENTS) {
            __syncthreads();
            stage<Sweep, ONLY_NAN ? 1 : STAGED_COMPONENTS / 4>(tile, first);
            __syncthreads();
            const int left = Sweep::COUNT - first;
            const int here = left < STAGED_COMPONENTS ? left : STAGED_COMPONENTS;
            const int fours = ONLY_NAN ? 0 : here / 4 * 4;
#pragma unroll 1
            for (int c = 0; c < fours; c += 4)
                add_components<Sweep, 4, AT_ONCE>(tile, c, start, sum);
            if (ONLY_NAN || Sweep::COUNT % 4)
#pragma unroll 1
                for (int c = fours; c < here; ++c)
                    add_components<Sweep, 1, AT_ONCE>(tile, c, start, sum);
        }
        good &= put_sums<Sweep, ONLY_NAN, AT_ONCE>(tile, start, sum);
    }
    if (!Sweep::CHECKED || !any_thread(!good)) return false;
    mark_plane<Sweep>(tile);
    return true;
}
