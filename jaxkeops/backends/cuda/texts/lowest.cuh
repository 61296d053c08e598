// The ENTRIES least of each of LISTS values, ascending, with their positions; ties in their order.
//
// A group of four columns of which none beats the worst entry of any list of a warp costs a minimum
// and a vote. Entry n of list k is value n * LISTS + k of a state.

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
        const bool moves = n && value < state.value[before], lands = value < state.value[here];
        if (moves) {
            state.value[here] = state.value[before];
            state.position[here] = state.position[before];
        } else if (lands) {
            state.value[here] = value;
            state.position[here] = position;
        }
    }
}

DEVICE Real worst_of(const State &state, int k) { return state.value[(ENTRIES - 1) * LISTS + k]; }

DEVICE void merge(State &state, const State &later) {
#pragma unroll
    for (int k = 0; k < LISTS; ++k)
#pragma unroll
        for (int n = 0; n < ENTRIES; ++n)
            insert(state, k, later.value[n * LISTS + k], later.position[n * LISTS + k]);
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
