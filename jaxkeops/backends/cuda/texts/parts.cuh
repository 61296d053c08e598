// Sums that differ by their component alone: a thread has PART_ROWS rows and PART_COLUMNS of them.
//
// It adds up some tiles in registers, then the states in the workspace take them. If there are more
// sums than registers hold, all columns are taken again for each share (PASSES), or each tile goes to
// the workspace (MANY_TURNS), whichever costs less.

constexpr int PARTS_ACROSS = PART_ROWS; // a block has as many rows as threads
constexpr int PARTS_DOWN = THREADS / PARTS_ACROSS;
constexpr int PARTS_AT_ONCE = PARTS_ACROSS * PART_COLUMNS;
constexpr int TURNS = 1024 / TILE_COLUMNS; // tiles

// Four rows, and four sums, of a thread lie together, or those of a tile of matrix units.
DEVICE int part_row(int r) {
    if constexpr (MATRIX_PARTS) return lane_row(r);
    return r / 4 * (4 * PARTS_DOWN) + (int)(threadIdx.x / PARTS_ACROSS) * 4 + r % 4;
}
DEVICE int part_column(int e) {
    if constexpr (MATRIX_PARTS) return e / 2 * 8 + lane_column() + e % 2;
    return e / 4 * (4 * PARTS_ACROSS) + (int)(threadIdx.x % PARTS_ACROSS) * 4 + e % 4;
}

template <int ROWS, int THREADS_OF_BLOCK> struct Rows {
    const Call *call;
    const Arrays *arrays;
    const Tile *tile;
    Index split, element;
    int pass;
    Weighing weighing;
    Real sum[PART_ROWS][PART_COLUMNS];

    DEVICE void start_all(
        const Call &given, const Arrays &inputs, Index of_split, Index of_element,
        const Tile &rows) {
        call = &given, arrays = &inputs, tile = &rows, split = of_split, element = of_element;
        pass = 0;
        clear();
        const Index row = rows.begin + threadIdx.x;
        if (row < rows.end) start_in_memory(given, state_at(given, split, element, row));
    }

    DEVICE void get(int, State &state) const {
        state = state_at(*call, split, element, tile->begin + threadIdx.x);
    }

    DEVICE void take(
        const Real *p, const Real (*u)[ROW_SLOTS], Real *columns, int count, unsigned turn,
        bool last) {
        const Staging staging = staging_of(*arrays, *tile, p, count, columns);
        const bool flush = MANY_TURNS || last || turn % TURNS == TURNS - 1;
        if (turn == 0) weighing.start();
        weighing.take(p, u[0], staging, count, flush);
        if (MATRIX_PARTS) clear_behind(staging, count);
        add_parts(*this, staging, p, count, flush);
        if (!last) return;
        const Index row = tile->begin + threadIdx.x;
        if (row < tile->end) weighing.put(*call, state_at(*call, split, element, row));
        ++pass;
        __syncthreads();
    }

    template <class Part>
    DEVICE void add_part(const Staging &staging, const Real *p, int count, bool flush) {
#pragma unroll 1
        for (int first = PASSES > 1 ? pass * PARTS_AT_ONCE : 0;
             first < (PASSES > 1 ? (pass + 1) * PARTS_AT_ONCE : Part::COUNT);
             first += PARTS_AT_ONCE) {
            __syncthreads();
            if (MANY_TURNS) clear();
            else if (POWERS) scale(staging);
            if constexpr (MATRIX_PARTS) {
#pragma unroll 1
                for (int start = 0; start < count; start += SHARE_COLUMNS) {
                    if (start > 0) __syncthreads();
                    const bool finite = stage_halves<Part>(staging, first, start, count);
                    add_staged<Part>(staging, start, count, !any_thread(!finite), sum);
                }
            } else {
                stage_part<Part>(staging, first, count);
                __syncthreads();
                add_columns<Part>(staging, p, first, count);
            }
            if (flush) put_part<Part>(staging, first);
        }
    }

  private:
    DEVICE void clear() {
#pragma unroll
        for (int r = 0; r < PART_ROWS; ++r)
#pragma unroll
            for (int e = 0; e < PART_COLUMNS; ++e) sum[r][e] = 0;
    }

    // Of columns that are not there, which matrix units take all the same.
    DEVICE static void clear_behind(const Staging &staging, int count) {
#pragma unroll 1
        for (int at = count; at < TILE_COLUMNS; ++at)
#pragma unroll
            for (int k = 0; k < SHARED; ++k)
                plane_at(staging.columns, k, at, threadIdx.x) = 0;
    }

    DEVICE void scale(const Staging &staging) {
#pragma unroll
        for (int r = 0; r < PART_ROWS; ++r) {
            const Real factor = staging.factors[part_row(r)];
#pragma unroll
            for (int e = 0; e < PART_COLUMNS; ++e) sum[r][e] *= factor;
        }
    }

    // What columns give to the sums from number `first` on.
    template <class Part> DEVICE static void stage_part(const Staging &tile, int first, int count) {
        constexpr int FOURS = PARTS_AT_ONCE / 4;
        constexpr int PARTS = Part::COLUMN_PARTS;
        if (PARTS == 0) return;
#pragma unroll 4
        for (int k = threadIdx.x; k < count * FOURS; k += THREADS) {
            const int column = k / FOURS, place = k % FOURS * 4;
            Real parts[4][PARTS ? PARTS : 1];
#pragma unroll
            for (int q = 0; q < 4; ++q) {
                const int c = first + place + q;
                Part::column_parts(
                    tile.arrays, tile.where[column], c < Part::COUNT ? c : Part::COUNT - 1, tile.p,
                    parts[q]);
            }
#pragma unroll
            for (int part = 0; part < PARTS; ++part)
                *(math::Quad<Real> *)(tile.staged +
                                      (part * TILE_COLUMNS + column) * PARTS_AT_ONCE + place) = {
                    parts[0][part], parts[1][part], parts[2][part], parts[3][part]};
        }
    }

    template <class Part>
    DEVICE void add_columns(const Staging &staging, const Real *p, int first, int count) {
        constexpr int XS = Part::ROW_PARTS ? Part::ROW_PARTS : 1;
        Real x[PART_ROWS][PART_COLUMNS][XS];
        if (Part::ROW_PARTS)
#pragma unroll
            for (int r = 0; r < PART_ROWS; ++r) {
                const int row = part_row(r);
#pragma unroll
                for (int e = 0; e < PART_COLUMNS; ++e) {
                    const int c = first + part_column(e);
                    Part::row_parts(
                        *arrays, smaller(tile->begin + row, tile->end - 1),
                        c < Part::COUNT ? c : Part::COUNT - 1, p, staging.kept + row,
                        staging.common + Part::COMMON, x[r][e]);
                }
            }
        const Real *shared = staging.columns + COLUMN_NUMBERS + part_row(0);
        const Real *parts = staging.staged + part_column(0);
        int left = count;
#pragma unroll 1
        for (; left >= 4; left -= 4) {
#pragma unroll
            for (int q = 0; q < 4; ++q)
                add_column<Part>(p, x, shared + q * PLANE_ROW, parts + q * PARTS_AT_ONCE);
            shared += GROUP_SIZE, parts += 4 * PARTS_AT_ONCE;
        }
#pragma unroll 1
        for (; left; --left) {
            add_column<Part>(p, x, shared, parts);
            shared += PLANE_ROW, parts += PARTS_AT_ONCE;
        }
    }

    // shared, parts: what the pairs of one column share, and its components, those of this thread.
    template <class Part, int XS>
    DEVICE void add_column(
        const Real *p, const Real (*x)[PART_COLUMNS][XS], const Real *shared, const Real *parts) {
        Real w[PART_ROWS][SHARED], y[PART_COLUMNS][Part::COLUMN_PARTS ? Part::COLUMN_PARTS : 1];
#pragma unroll
        for (int r = 0; r < PART_ROWS; r += 4)
            get_parts<4, SHARED>(shared + part_row(r) - part_row(0), 4 * PLANE_ROW, w + r);
#pragma unroll
        for (int e = 0; e < PART_COLUMNS; e += 4)
            get_parts<4, Part::COLUMN_PARTS>(
                parts + part_column(e) - part_column(0), TILE_COLUMNS * PARTS_AT_ONCE, y + e);
#pragma unroll
        for (int r = 0; r < PART_ROWS; ++r)
#pragma unroll
            for (int e = 0; e < PART_COLUMNS; ++e)
                Part::step(p, x[r][e], y[e], w[r], sum[r][e]);
    }

    // Adds the sums to those in the workspace. Some rows at a time pass through shared memory, where
    // each thread has a place of its own: a loop then goes over them, which registers cannot.
    template <class Part> DEVICE void put_part(const Staging &staging, int first) {
        constexpr int AT_ONCE = STAGED / THREADS / PART_COLUMNS;
        constexpr int SLICE = AT_ONCE < PART_ROWS ? AT_ONCE : PART_ROWS;
        __syncthreads();
        const int late = late_zero();
        Real *const own = staging.staged + threadIdx.x + late;
#pragma unroll
        for (int start = 0; start < PART_ROWS; start += SLICE) {
#pragma unroll
            for (int r = 0; r < SLICE; ++r)
#pragma unroll
                for (int e = 0; e < PART_COLUMNS; ++e)
                    own[(r * PART_COLUMNS + e) * THREADS] = start + r < PART_ROWS ? sum[start + r][e] : 0;
#pragma unroll 4
            for (int k = 0; k < SLICE * PART_COLUMNS; ++k) {
                const int place = part_row(start + k / PART_COLUMNS) + late;
                const int c = first + part_column(k % PART_COLUMNS) + late;
                const Index row = tile->begin + place;
                if (place >= TILE_ROWS || row >= tile->end || c >= Part::COUNT) continue;
                const Real factor = POWERS ? staging.factors[TILE_ROWS + place] : Real(1);
                add_to(
                    *call, state_at(*call, split, element, row), Part::FIRST + c, factor,
                    own[k * THREADS]);
            }
        }
        clear();
    }
};
