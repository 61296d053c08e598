// States of many numbers, in the workspace: those of one row lie together, and what running sums
// lack (see sums.cuh) behind the states of all rows.

// Where the state of one row and split is.
struct State {
    Index first;
};

DEVICE State state_at(const Call &call, Index split, Index element, Index row) {
    return {((split * call.elements + element) * call.M + row) * STATE_VALUES};
}

DEVICE Real &value_at(const Call &call, const State &state, int k) {
    return ((Real *)call.states)[state.first + k];
}
DEVICE Real &lost_at(const Call &call, const State &state, int k) {
    return ((Real *)call.states)[
        call.splits * call.elements * call.M * STATE_VALUES + state.first + k];
}

DEVICE void save(const Call &, Index, Index, Index, const State &) {}
DEVICE void restore(const Call &call, Index split, Index element, Index row, State &state) {
    state = state_at(call, split, element, row);
}

// Adds to number k of a state, after what it holds was multiplied by `factor`.
DEVICE void add_to(const Call &call, const State &state, int k, Real factor, Real sum) {
    Real &value = value_at(call, state, k), &lost = lost_at(call, state, k);
    Real total = value * factor, rest = lost * factor;
    add_sum(total, rest, sum);
    value = total, lost = rest;
}

DEVICE void settle(const Call &, const Arrays &, const Tile &, const Share &, Index, State &) {}
