// What an accumulator holds for one row, and where splits leave it for the step that merges them.

struct State {
    Real value[STATE_SLOTS];
    Real lost[STATE_SLOTS]; // what running sums lack, see sums.cuh; never stored
    Index position[POSITION_SLOTS];
};

// Cells of one state lie M apart, so that neighbouring threads touch neighbouring numbers.
DEVICE Index cell_of(const Call &call, Index split, Index element, Index row, int k, int cells) {
    return ((split * call.elements + element) * cells + k) * call.M + row;
}

DEVICE Index *positions_of(const Call &call) { return (Index *)call.states; }

DEVICE Real *values_of(const Call &call) {
    return (Real *)(positions_of(call) + call.splits * call.elements * STATE_POSITIONS * call.M);
}

DEVICE void save(const Call &call, Index split, Index element, Index row, const State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k)
        values_of(call)[cell_of(call, split, element, row, k, STATE_VALUES)] = state.value[k];
#pragma unroll
    for (int k = 0; k < STATE_POSITIONS; ++k)
        positions_of(call)[cell_of(call, split, element, row, k, STATE_POSITIONS)] =
            state.position[k];
}

DEVICE void restore(const Call &call, Index split, Index element, Index row, State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) {
        state.value[k] = values_of(call)[cell_of(call, split, element, row, k, STATE_VALUES)];
        state.lost[k] = 0;
    }
#pragma unroll
    for (int k = 0; k < STATE_POSITIONS; ++k)
        state.position[k] =
            positions_of(call)[cell_of(call, split, element, row, k, STATE_POSITIONS)];
}
