// Sums over columns.

DEVICE void start(State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) state.value[k] = state.lost[k] = 0;
}

DEVICE void merge(const Call &, State &state, const State &later) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) add_sum(state.value[k], state.lost[k], later.value[k]);
}

DEVICE void settle(const Call &, const Arrays &, const Tile &, const Share &, Index, State &) {}
DEVICE void conclude(const Call &, const Tile &, State &) {}

template <int ROWS, int THREADS> struct Rows {
    State state[ROWS];

    DEVICE void start_all(const Call &, const Arrays &, Index, Index, const Tile &) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) start(state[r]);
    }

    DEVICE void get(int row, State &found) const {
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
            if (r == row) found = state[r];
    }

    DEVICE void take(
        const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int count, unsigned, bool) {
        Real sum[ROWS][STATE_SLOTS];
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int k = 0; k < STATE_VALUES; ++k) sum[r][k] = 0;
        if constexpr (SCALED > 0) {
            if (are_scaled(columns)) add_columns(Scaled(), p, u, columns, count, sum);
            else add_columns(Exact(), p, u, columns, count, sum);
        } else {
            add_columns(Exact(), p, u, columns, count, sum);
        }
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int k = 0; k < STATE_VALUES; ++k)
                add_sum(state[r].value[k], state[r].lost[k], sum[r][k]);
    }

  private:
    // way: which function of a pair.
    template <class Way>
    DEVICE static void add_columns(
        Way way, const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int count,
        Real (*sum)[STATE_SLOTS]) {
        // One row has so few pairs with a group that the loop would cost as much as an operation.
        constexpr int GROUPS = ROWS > 1 ? 1 : 4;
        int at = end_of_groups(0, count) / (4 * GROUPS) * (4 * GROUPS);
        const Real *group = columns;
        const Real *const end = group_at(columns, at);
#pragma unroll 1
        for (; group < end; group += GROUPS * GROUP_SIZE)
#pragma unroll
            for (int g = 0; g < GROUPS; ++g) {
                Real v[4][COLUMN_SLOTS];
                get_group(group + g * GROUP_SIZE, v);
#pragma unroll
                for (int q = 0; q < 4; ++q)
#pragma unroll
                    for (int r = 0; r < ROWS; ++r) add_pair(way, p, u[r], v[q], sum[r]);
            }
#pragma unroll 1
        for (; at < count; ++at) {
            Real v[COLUMN_SLOTS];
            get_column(columns, at, v);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) add_pair(way, p, u[r], v, sum[r]);
        }
    }
};
