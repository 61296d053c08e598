// The ENTRIES least of each of LISTS values, ascending, with their positions; ties in their order.
//
// Lists are in the workspace, for any ENTRIES: entry n of list k is cell n * LISTS + k of a row.
// Cells of one row lie M apart, so that neighbouring threads touch neighbouring numbers.

// Where the lists of one row and split are.
struct State {
    Index first;
};

DEVICE Index *positions_of(const Call &call) { return (Index *)call.states; }
DEVICE Real *values_of(const Call &call) {
    return (Real *)(positions_of(call) + call.splits * call.elements * STATE_VALUES * call.M);
}
DEVICE Real &value_at(const Call &call, const State &state, int k) {
    return values_of(call)[state.first + k * call.M];
}
DEVICE Index &position_at(const Call &call, const State &state, int k) {
    return positions_of(call)[state.first + k * call.M];
}

DEVICE void save(const Call &, Index, Index, Index, const State &) {}
DEVICE void restore(const Call &call, Index split, Index element, Index row, State &state) {
    state.first = (split * call.elements + element) * STATE_VALUES * call.M + row;
}

// Puts a value that beats the last entry into list k: entries that it beats move back by one.
DEVICE void insert(const Call &call, const State &state, int k, Real value, Index position) {
    int here = (ENTRIES - 1) * LISTS + k;
#pragma unroll 1
    for (; here >= LISTS; here -= LISTS) {
        const Real before = value_at(call, state, here - LISTS);
        if (!(value < before)) break;
        value_at(call, state, here) = before;
        position_at(call, state, here) = position_at(call, state, here - LISTS);
    }
    value_at(call, state, here) = value;
    position_at(call, state, here) = position;
}

DEVICE void merge(const Call &call, const State &state, const State &later) {
#pragma unroll 1
    for (int k = 0; k < STATE_VALUES; ++k) {
        const Real value = value_at(call, later, k);
        const int list = k % LISTS;
        if (value < value_at(call, state, (ENTRIES - 1) * LISTS + list))
            insert(call, state, list, value, position_at(call, later, k));
    }
}

DEVICE void settle(const Call &, const Arrays &, const Tile &, const Share &, Index, State &) {}

// Turns positions into columns.
DEVICE void conclude(const Call &call, const Tile &tile, const State &state) {
#pragma unroll 1
    for (int k = 0; k < STATE_VALUES; ++k) {
        const bool none = value_at(call, state, k) == math::infinity(Real());
        Index &position = position_at(call, state, k);
        position = none ? 0 : column_at(call, tile, position);
    }
}

template <int ROWS, int THREADS> struct Lists {
    const Call *call;
    State state[ROWS];
    Real last[ROWS][LISTS]; // -inf for a row beyond the last: no value enters its list

    DEVICE void start_lists(const Call &given, Index split, Index element, const Tile &tile) {
        call = &given;
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const Index row = tile.begin + threadIdx.x + r * THREADS;
            const bool there = row < tile.end;
            restore(given, split, element, row, state[r]);
#pragma unroll
            for (int k = 0; k < LISTS; ++k)
                last[r][k] = there ? math::infinity(Real()) : -math::infinity(Real());
            if (!there) continue;
#pragma unroll 1
            for (int k = 0; k < STATE_VALUES; ++k) {
                value_at(given, state[r], k) = math::infinity(Real());
                position_at(given, state[r], k) = 0;
            }
        }
    }

    DEVICE void get(int row, State &found) const {
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
            if (r == row) found = state[r];
    }

    DEVICE Real worst(int r, int k) const { return last[r][k]; }

    DEVICE void put_entry(int r, int k, Real value, Index position) {
        if (!(value < last[r][k])) return;
        insert(*call, state[r], k, value, position);
        last[r][k] = value_at(*call, state[r], (ENTRIES - 1) * LISTS + k);
    }
};
