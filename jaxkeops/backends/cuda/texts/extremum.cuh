// Least or greatest values, and the positions that have them.
//
// Only the best value is kept at each pair, and for the position the chunk of columns that it came
// from: one chunk is then computed once more to find the value in it. By the same instructions, that is
// the value itself; matrix units have others, and the best of the chunk takes its place.

DEVICE Real worst() { return LEAST ? math::infinity(Real()) : -math::infinity(Real()); }
DEVICE Real better_of(Real a, Real b) { return LEAST ? math::least(a, b) : math::greatest(a, b); }
DEVICE bool beats(Real a, Real b) { return LEAST ? a < b : a > b; }

DEVICE void start(State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) state.value[k] = worst();
#pragma unroll
    for (int k = 0; k < STATE_POSITIONS; ++k) state.position[k] = 0;
}

DEVICE void merge(const Call &, State &state, const State &later) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k)
        if (beats(later.value[k], state.value[k])) {
            state.value[k] = later.value[k];
            if (STATE_POSITIONS) state.position[k] = later.position[k];
        }
}

// Turns numbers of chunks into positions.
DEVICE void settle(
    const Call &call, const Arrays &arrays, const Tile &tile, const Share &share, Index row,
    State &state) {
    if (!STATE_POSITIONS) return;
    Real p[PARAMETER_SLOTS], u[ROW_SLOTS];
    parameter_values(arrays, p);
    row_values(arrays, row, p, u);
#pragma unroll 1
    for (int value = 0; value < STATE_VALUES; ++value) {
        Real best = 0;
        Index chunk = 0;
#pragma unroll
        for (int k = 0; k < STATE_POSITIONS; ++k)
            if (k == value) best = state.value[k], chunk = state.position[k];
        const Index first = share.first + chunk * CHUNK;
        const Index last = smaller(first + CHUNK, share.last);
        Index found = first;
        Real nearest = worst();
#pragma unroll 1
        for (Index position = first; position < last; ++position) {
            Real v[COLUMN_SLOTS], terms[STATE_SLOTS], again = 0;
            const Index column = column_at(call, tile, position);
            column_values(arrays, column, p, v);
            pair_planes(arrays, row, column, p, u, v);
            pair_terms(p, u, v, terms);
#pragma unroll
            for (int k = 0; k < STATE_VALUES; ++k)
                if (k == value) again = terms[k];
            if (beats(again, nearest)) nearest = again, found = position;
            if (again == best) break;
        }
#pragma unroll
        for (int k = 0; k < STATE_POSITIONS; ++k)
            if (k == value) state.position[k] = found, state.value[k] = nearest;
    }
}

// Turns positions into columns.
DEVICE void conclude(const Call &call, const Tile &tile, State &state) {
#pragma unroll
    for (int k = 0; k < STATE_POSITIONS; ++k)
        state.position[k] =
            state.value[k] == worst() ? 0 : column_at(call, tile, state.position[k]);
}

template <int ROWS, int THREADS> struct Rows {
    Real best[ROWS][STATE_SLOTS];
    unsigned chunk[ROWS][STATE_SLOTS];

    DEVICE void start_all(const Call &, const Arrays &, Index, Index, const Tile &) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int k = 0; k < STATE_VALUES; ++k) best[r][k] = worst(), chunk[r][k] = 0;
    }

    DEVICE void get(int row, State &found) const {
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
            if (r == row) {
#pragma unroll
                for (int k = 0; k < STATE_VALUES; ++k) found.value[k] = best[r][k];
#pragma unroll
                for (int k = 0; k < STATE_POSITIONS; ++k) found.position[k] = chunk[r][k];
            }
    }

    DEVICE void take(
        const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int count,
        unsigned number, bool) {
#pragma unroll 1
        for (int first = 0; first < count; first += CHUNK) {
            const int last = first + CHUNK < count ? first + CHUNK : count;
            Real found[ROWS][STATE_SLOTS];
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
#pragma unroll
                for (int k = 0; k < STATE_VALUES; ++k) found[r][k] = worst();
            int at = end_of_groups(first, last);
            const Real *group = group_at(columns, first);
            const Real *const end = group_at(columns, at);
#pragma unroll 1
            for (; group < end; group += GROUP_SIZE) {
                Real v[4][COLUMN_SLOTS];
                get_group(group, v);
#pragma unroll
                for (int q = 0; q < 4; ++q)
#pragma unroll
                    for (int r = 0; r < ROWS; ++r) try_pair(p, u[r], v[q], found[r]);
            }
#pragma unroll 1
            for (; at < last; ++at) {
                Real v[COLUMN_SLOTS];
                get_column(columns, at, v);
#pragma unroll
                for (int r = 0; r < ROWS; ++r) try_pair(p, u[r], v, found[r]);
            }
            const unsigned here = number * (TILE_COLUMNS / CHUNK) + first / CHUNK;
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
#pragma unroll
                for (int k = 0; k < STATE_VALUES; ++k)
                    if (beats(found[r][k], best[r][k]))
                        best[r][k] = found[r][k], chunk[r][k] = here;
        }
    }

  private:
    DEVICE static void try_pair(const Real *p, const Real *u, const Real *v, Real *found) {
        Real terms[STATE_SLOTS];
        pair_terms(p, u, v, terms);
#pragma unroll
        for (int k = 0; k < STATE_VALUES; ++k) found[k] = better_of(terms[k], found[k]);
    }
};
