// Sums of products of a row and a column by the units that multiply matrices, left in planes.
//
// Each factor is in two pieces (pieces.cuh), of which three products are taken: what low times low
// gives is beyond float32. The two mixed ones come first, scaled by 2^11; then the sum is scaled back
// and takes those of high. So no unit adds them to a sum that has no digits for them.
//
// A warp has the 32 rows of its threads, and 16 columns at a time: see lanes.cuh.

constexpr int MATRIX_COLUMNS = 16;

// What a warp has of its rows: all components of a chunk.
template <class Sweep> struct RowPieces {
    typedef Pieces<Sweep> Of;
    unsigned piece[Of::KINDS][Of::STEPS][2][4];
    float scale[LANE_ROWS], inverse[LANE_ROWS];

    // Once for a block, behind a barrier after `share_values`.
    DEVICE void start(const Staging &tile) {
#pragma unroll
        for (int k = 0; k < LANE_ROWS; ++k) {
            Seen seen = {0, 0};
            bool lost = false;
#pragma unroll 4
            for (int c = lane() % 4; c < Sweep::COUNT; c += 4) seen.take(number(tile, k, c));
#pragma unroll
            for (int mask = 1; mask <= 2; mask *= 2) {
                seen.largest = math::greatest(from_lane(seen.largest, mask), seen.largest);
                seen.poison += from_lane(seen.poison, mask);
            }
            const Scale found = scale_of(seen.largest);
            if (!Sweep::BOUNDED)
#pragma unroll 4
                for (int c = lane() % 4; c < Sweep::COUNT; c += 4)
                    lost |= is_lost(number(tile, k, c) * found.scale);
            float doubt = lost ? math::nan(0.0f) : seen.poison;
            doubt += from_lane(doubt, 1);
            doubt += from_lane(doubt, 2);
            scale[k] = found.scale, inverse[k] = found.inverse + doubt;
        }
        if (Sweep::KEEPS_ROWS) load(tile, 0);
        if (!Sweep::ROW_WORDS) return;
#pragma unroll 1
        for (int chunk = 0; chunk < Sweep::CHUNKS; ++chunk) {
            load(tile, chunk);
            math::Quad<unsigned> *to = row_words(tile, chunk);
            each_four([&](unsigned *four) {
                *to = {four[0], four[1], four[2], four[3]};
                to += THREADS;
            });
        }
    }

    // Those of a chunk.
    DEVICE void restore(const Staging &tile, int chunk) {
        if (Sweep::KEEPS_ROWS) return;
        if (!Sweep::ROW_WORDS) return load(tile, chunk);
        const math::Quad<unsigned> *from = row_words(tile, chunk);
        each_four([&](unsigned *four) {
            const math::Quad<unsigned> found = *from;
            four[0] = found.x, four[1] = found.y, four[2] = found.z, four[3] = found.w;
            from += THREADS;
        });
    }

    // The same from the rows themselves.
    DEVICE void load(const Staging &tile, int chunk) {
#pragma unroll
        for (int step = 0; step < Of::STEPS; ++step)
#pragma unroll
            for (int m = 0; m < 2; ++m)
#pragma unroll
                for (int w = 0; w < 4; ++w) {
                    const int k = 2 * m + w % 2;
                    const int c = chunk * Of::COMPONENTS + step * 16 + w / 2 * 8 + lane_column();
                    const Split two = split(scaled(tile, k, c), scaled(tile, k, c + 1));
                    piece[0][step][m][w] = two.high;
                    if (Of::KINDS == 2) piece[Of::KINDS - 1][step][m][w] = two.low;
                }
    }

    DEVICE bool good() const {
        float sum = 0;
#pragma unroll
        for (int k = 0; k < LANE_ROWS; ++k) sum += inverse[k];
        return sum == sum;
    }

  private:
    // Where this thread has its words in shared memory, four of them together.
    DEVICE static math::Quad<unsigned> *row_words(const Staging &tile, int chunk) {
        constexpr int OF_CHUNK = Of::KINDS * Sweep::STEPS * 8;
        const int word = (Sweep::ROW_PLACE + chunk * OF_CHUNK) * THREADS + (int)threadIdx.x * 4;
        return (math::Quad<unsigned> *)(tile.row_words + word);
    }
    template <class Function> DEVICE void each_four(Function function) {
#pragma unroll
        for (int kind = 0; kind < Of::KINDS; ++kind)
#pragma unroll
            for (int step = 0; step < Of::STEPS; ++step)
#pragma unroll
                for (int m = 0; m < 2; ++m) function(piece[kind][step][m]);
    }
    DEVICE static float number(const Staging &tile, int k, int c) {
        const int place = lane_row(k);
        Real part[1];
        Sweep::row_parts(
            tile.arrays, smaller(tile.rows.begin + place, tile.rows.end - 1), c, tile.p,
            tile.kept + place, tile.common + Sweep::COMMON, part);
        return part[0];
    }
    DEVICE float scaled(const Staging &tile, int k, int c) const {
        if (Of::CHUNKS * Of::COMPONENTS > Sweep::COUNT && c >= Sweep::COUNT) return 0;
        return number(tile, k, c) * scale[k];
    }
};

// The pieces of a chunk of all columns in shared memory. 16 bytes more than are used: eight
// neighbouring columns then lie in different banks.
template <class Sweep> struct ColumnPieces {
    typedef Pieces<Sweep> Of;
    constexpr static int STRIDE = Of::WORDS + 4; // words
    unsigned *const words;

    DEVICE static ColumnPieces of(const Staging &tile) { return {(unsigned *)tile.staged}; }

    // Leaves what takes the scale of a column back behind the values of the column.
    DEVICE static void put_inverse(const Staging &tile, int k, Index column) {
        tile.columns[place_of(k, COLUMN_VALUES + Sweep::NUMBER)] =
            read_only(tile.arrays.scratch + Sweep::INVERSE + column * COLUMN_WIDTH);
    }

    // Stages a chunk.
    DEVICE void stage(const Staging &tile, int chunk) const {
        constexpr int UNITS = Of::WORDS / 4; // of 16 bytes, in a column
        constexpr int ACROSS = UNITS <= 2 ? 2 : UNITS <= 4 ? 4 : UNITS <= 8 ? 8 : 16;
        constexpr int DOWN = THREADS / ACROSS < TILE_COLUMNS ? THREADS / ACROSS : TILE_COLUMNS;
        const int unit = threadIdx.x % ACROSS, first = threadIdx.x / ACROSS;
        if (unit >= UNITS || first >= DOWN) return;
        const Real *const from =
            tile.arrays.scratch + Sweep::PIECES + chunk * Of::WORDS + unit * 4;
        unsigned *const to = words + first * STRIDE + unit * 4;
        const Real *const next = from + tile.where[first] * COLUMN_WIDTH;
        if (!RANGED && tile.count == TILE_COLUMNS) {
#pragma unroll
            for (int k = 0; k < TILE_COLUMNS; k += DOWN) copy(to + k * STRIDE, next + k * COLUMN_WIDTH);
        } else {
#pragma unroll 1
            for (int k = 0; k < TILE_COLUMNS; k += DOWN)
                copy(to + k * STRIDE, from + tile.where[first + k] * COLUMN_WIDTH);
        }
    }
    DEVICE static void copy(unsigned *to, const Real *from) {
        *(math::Quad<Real> *)to = read_only((const math::Quad<Real> *)from);
    }

    // Where this lane reads the first of 16 columns: which of the four matrices of a load, and row.
    DEVICE const unsigned *first() const {
        const int matrix = lane() / 8, row = lane() % 8;
        return Of::KINDS == 2
                   ? words + row * STRIDE + matrix % 2 * 4 + matrix / 2 * (Of::COMPONENTS / 2)
                   : words + (matrix / 2 * 8 + row) * STRIDE + matrix % 2 * 4;
    }

    // A step of 16 columns: high and low of 8 at a time, or high of both.
    DEVICE static void load(
        const unsigned *first, int step, unsigned (*high)[2], unsigned (*low)[2]) {
#pragma unroll
        for (int n = 0; n < Of::KINDS; ++n) {
            unsigned four[4];
            load_matrices(four, first + n * 8 * STRIDE + step * 8);
#pragma unroll
            for (int w = 0; w < 2; ++w)
                if (Of::KINDS == 2) high[n][w] = four[w], low[n][w] = four[2 + w];
                else high[0][w] = four[w], high[1][w] = four[2 + w];
        }
    }
};

// The sums over a chunk of this warp's rows with 16 columns.
template <class Sweep>
DEVICE void multiply_chunk(
    const RowPieces<Sweep> &rows, const unsigned *columns, float (*sum)[2][4]) {
    typedef Pieces<Sweep> Of;
    const float zeros[4] = {0, 0, 0, 0};
    unsigned high[Of::STEPS][2][2];
#pragma unroll
    for (int step = 0; step < Of::STEPS; ++step) {
        unsigned low[2][2];
        ColumnPieces<Sweep>::load(columns, step, high[step], low);
        if (Of::KINDS == 1) continue;
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
                multiply_add(
                    sum[m][n], rows.piece[0][step][m], low[n], step ? sum[m][n] : zeros);
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
                multiply_add(
                    sum[m][n], rows.piece[Of::KINDS - 1][step][m], high[step][n], sum[m][n]);
    }
    if (Of::KINDS == 2)
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
#pragma unroll
                for (int k = 0; k < 4; ++k) sum[m][n][k] *= 1 / LOW_SCALE;
#pragma unroll
    for (int step = 0; step < Of::STEPS; ++step)
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
                multiply_add(
                    sum[m][n], rows.piece[0][step][m], high[step][n],
                    step || Of::KINDS == 2 ? sum[m][n] : zeros);
}

// What rows and sums are checked by.
template <class Sweep> struct RowsGiven {
    Real u[LANE_ROWS][Sweep::ROW_GIVEN ? Sweep::ROW_GIVEN : 1];

    DEVICE RowsGiven(const Staging &tile) {
#pragma unroll
        for (int k = 0; k < LANE_ROWS; ++k) Sweep::row_given(tile.kept + lane_row(k), u[k]);
    }
};

// Where a lane has its numbers of 16 columns.
template <class Sweep> struct Lane {
    const unsigned *words;
    const Real *column; // the first of its columns, see columns.cuh
    Real *cell;         // of the plane, with its first row

    DEVICE Lane(const Staging &tile, const ColumnPieces<Sweep> &pieces)
        : words(pieces.first()), column(tile.columns + place_of(lane_column(), 0)),
          cell(&plane_at(tile.columns, Sweep::PLANE, lane_column(), lane_row(0))) {}

    DEVICE void advance() {
        words += MATRIX_COLUMNS * ColumnPieces<Sweep>::STRIDE;
        column += MATRIX_COLUMNS / 4 * GROUP_SIZE, cell += MATRIX_COLUMNS / 4 * GROUP_SIZE;
    }
};

// Where the plane has the numbers of row k with the columns of tile n.
template <class Sweep> DEVICE Real *cell_of(const Lane<Sweep> &at, int n, int k) {
    return at.cell + n * 2 * GROUP_SIZE + k * 8 * ROW_STEP;
}

// Takes scales back, and makes of the sums what a check makes of them. Whether all pass.
template <class Sweep>
DEVICE bool check_products(
    const Real *p, const RowPieces<Sweep> &rows, const RowsGiven<Sweep> &given,
    const Lane<Sweep> &at, Real (*sum)[2][4]) {
    bool good = true;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
        const Real *const column = at.column + n * 2 * GROUP_SIZE;
        const math::Pair<Real> inverse =
            *(const math::Pair<Real> *)(column + 4 * (COLUMN_VALUES + Sweep::NUMBER));
        Real v[2][Sweep::COLUMN_GIVEN ? Sweep::COLUMN_GIVEN : 1];
        Sweep::two_columns_given(column, v[0], v[1]);
        if (!Sweep::CHECKED) good &= inverse.x + inverse.y == inverse.x + inverse.y;
#pragma unroll
        for (int k = 0; k < LANE_ROWS; ++k)
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                Real *const one = sum[k / 2][n] + k % 2 * 2 + e;
                *one = *one * rows.inverse[k] * (e == 0 ? inverse.x : inverse.y);
                good &= Sweep::passes(p, given.u[k], v[e], one);
            }
    }
    return good;
}

// Leaves the sums with 16 columns in a plane, added to those of the chunks before, and checked where
// it is the last. Whether all pass.
template <class Sweep>
DEVICE bool put_products(
    const Real *p, const RowPieces<Sweep> &rows, const RowsGiven<Sweep> &given,
    const Lane<Sweep> &at, int chunk, Real (*sum)[2][4]) {
    if (chunk > 0)
#pragma unroll
        for (int n = 0; n < 2; ++n)
#pragma unroll
            for (int k = 0; k < LANE_ROWS; ++k)
                add_two(cell_of(at, n, k), sum[k / 2][n] + k % 2 * 2);
    bool good = true;
    if (chunk == Sweep::CHUNKS - 1) good = check_products(p, rows, given, at, sum);
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int k = 0; k < LANE_ROWS; ++k)
            put_two(cell_of(at, n, k), sum[k / 2][n] + k % 2 * 2);
    return good;
}

// Computes the sums of all pairs of the tile, and puts them. Whether any is in doubt.
//
// A unit cuts digits off as it adds: sums of chunks are added by those that round.
template <class Sweep> DEVICE bool multiply_tile(const Staging &tile, RowPieces<Sweep> &rows) {
    const ColumnPieces<Sweep> columns = ColumnPieces<Sweep>::of(tile);
    const RowsGiven<Sweep> given(tile);
    bool good = Sweep::CHECKED || rows.good();
#pragma unroll 1
    for (int chunk = 0; chunk < Sweep::CHUNKS; ++chunk) {
        __syncthreads();
        columns.stage(tile, chunk);
        rows.restore(tile, chunk);
        __syncthreads();
        Lane<Sweep> at(tile, columns);
#pragma unroll 1
        for (int first = 0; first < tile.count; first += MATRIX_COLUMNS) {
            float sum[2][2][4];
            multiply_chunk(rows, at.words, sum);
            good &= put_products(tile.p, rows, given, at, chunk, sum);
            at.advance();
        }
    }
    const bool doubt = any_thread(!good);
    if (Sweep::CHECKED && doubt) mark_plane<Sweep>(tile);
    return doubt;
}

// By matrix units where there are any, else as all other sums.
template <class Sweep> DEVICE bool products(const Staging &tile, RowPieces<Sweep> &rows) {
    if constexpr (MATRIX_UNITS) return multiply_tile<Sweep>(tile, rows);
    else return sweep<Sweep, false>(tile);
}
