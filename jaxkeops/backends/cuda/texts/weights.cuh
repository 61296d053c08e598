// Sums of which many differ by their component alone: what those of a row share goes to planes.

DEVICE void start_in_memory(const Call &call, const State &state) {
#pragma unroll 1
    for (int k = 0; k < STATE_VALUES; ++k) value_at(call, state, k) = lost_at(call, state, k) = 0;
}

DEVICE void merge(const Call &call, const State &state, const State &later) {
#pragma unroll 1
    for (int k = 0; k < STATE_VALUES; ++k) add_to(call, state, k, 1, value_at(call, later, k));
}

DEVICE void conclude(const Call &, const Tile &, State &) {}

// What a thread does at the pairs of its row.
struct Weighing {
    Real total[SCALAR_SLOTS], lost[SCALAR_SLOTS];

    DEVICE void start() {
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) total[k] = lost[k] = 0;
    }

    // Puts what parts share into the planes, and adds the other terms.
    DEVICE void take(
        const Real *p, const Real *u, const Staging &tile, int count, bool) {
        Real sum[SCALAR_SLOTS];
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) sum[k] = 0;
        const int end = end_of_groups(0, count);
#pragma unroll 1
        for (int at = 0; at < end; at += 4) {
            Real v[4][COLUMN_SLOTS];
            get_group(group_at(tile.columns, at), v);
#pragma unroll
            for (int q = 0; q < 4; ++q) take_pair(p, u, v[q], tile, at + q, sum);
        }
#pragma unroll 1
        for (int at = end; at < count; ++at) {
            Real v[COLUMN_SLOTS];
            get_column(tile.columns, at, v);
            take_pair(p, u, v, tile, at, sum);
        }
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) add_sum(total[k], lost[k], sum[k]);
    }

    DEVICE void put(const Call &call, const State &state) const {
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) value_at(call, state, state_of(k)) = total[k];
    }

  private:
    DEVICE static void take_pair(
        const Real *p, const Real *u, const Real *v, const Staging &tile, int column, Real *sum) {
        Real shared[SHARED], terms[SCALAR_SLOTS];
        pair_weights(p, u, v, shared, terms);
#pragma unroll
        for (int k = 0; k < SHARED; ++k)
            plane_at(tile.columns, k, column, threadIdx.x) = shared[k];
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) sum[k] += terms[k];
    }
};
