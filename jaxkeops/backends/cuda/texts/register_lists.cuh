// The ENTRIES least of each of LISTS values, ascending, with their positions; ties in their order.
//
// Lists are in registers: entry n of list k is value n * LISTS + k of a state. Four columns of which
// none beats the worst entries of a thread cost it three minima and a comparison.

DEVICE void start(State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) {
        state.value[k] = math::infinity(Real());
        state.position[k] = 0;
    }
}

// Puts a value into list k: each entry becomes the one before it, the value, or stays.
DEVICE void insert(State &state, int k, Real value, Index position) {
#pragma unroll
    for (int n = ENTRIES - 1; n >= 0; --n) {
        const int here = n * LISTS + k, before = n ? here - LISTS : here;
        const bool lands = value < state.value[here];
        const bool moves = n && value < state.value[before];
        state.position[here] =
            moves ? state.position[before] : lands ? position : state.position[here];
        state.value[here] = moves ? state.value[before] : lands ? value : state.value[here];
    }
}

// One entry of each list at a time, in a loop: what is left moves up, since registers have no index.
DEVICE void merge(const Call &, State &state, const State &later) {
    State left = later;
#pragma unroll 1
    for (int n = 0; n < ENTRIES; ++n) {
#pragma unroll
        for (int k = 0; k < LISTS; ++k) insert(state, k, left.value[k], left.position[k]);
#pragma unroll
        for (int k = 0; k + LISTS < STATE_VALUES; ++k) {
            left.value[k] = left.value[k + LISTS];
            left.position[k] = left.position[k + LISTS];
        }
    }
}

DEVICE void settle(const Call &, const Arrays &, const Tile &, const Share &, Index, State &) {}

// Turns positions into columns.
DEVICE void conclude(const Call &call, const Tile &tile, State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) {
        const bool none = state.value[k] == math::infinity(Real());
        state.position[k] = none ? 0 : column_at(call, tile, state.position[k]);
    }
}

template <int ROWS, int THREADS> struct Lists {
    State state[ROWS];

    DEVICE void start_lists(const Call &, Index, Index, const Tile &) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) start(state[r]);
    }

    DEVICE void get(int row, State &found) const {
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
            if (r == row) found = state[r];
    }

    DEVICE Real worst(int r, int k) const { return state[r].value[(ENTRIES - 1) * LISTS + k]; }

    DEVICE void put_entry(int r, int k, Real value, Index position) {
        insert(state[r], k, value, position);
    }
};
