// Sums of powers against a reference, of which many differ by their component alone.
//
// The first plane takes the powers of the pairs, relative to the reference of their row: a whole
// number next to the greatest exponent so far. Where it rises, what was summed up is scaled. State 0
// is the reference; if EXACT, the greatest exponent itself is the last one.

constexpr int TOP = STATE_VALUES - 1;
constexpr int SUMS_END = EXACT ? TOP : STATE_VALUES;

DEVICE void start_in_memory(const Call &call, const State &state) {
#pragma unroll 1
    for (int k = 0; k < STATE_VALUES; ++k) value_at(call, state, k) = lost_at(call, state, k) = 0;
    value_at(call, state, 0) = -FINITE;
    if (EXACT) value_at(call, state, TOP) = -math::infinity(Real());
}

// The least whole number that serves both a reference and an exponent.
DEVICE Real raised(Real reference, Real least) {
    return math::greatest(math::least(math::nearest(least), FINITE), reference);
}

DEVICE void merge(const Call &call, const State &state, const State &later) {
    Real &reference = value_at(call, state, 0);
    const Real old = reference, other = value_at(call, later, 0);
    reference = raised(old, other);
    const Real factor = power_of_two(old - reference), scale = power_of_two(other - reference);
#pragma unroll 1
    for (int k = 1; k < SUMS_END; ++k)
        add_to(call, state, k, factor, value_at(call, later, k) * scale);
    if (EXACT)
        value_at(call, state, TOP) =
            math::greatest(value_at(call, state, TOP), value_at(call, later, TOP));
}

// Makes the greatest exponent the reference, if it was asked for.
DEVICE void conclude(const Call &call, const Tile &, State &state) {
    if (!EXACT) return;
    const Real top = value_at(call, state, TOP);
    const bool finite = math::abs(top) < math::infinity(Real());
    const Real factor = finite ? power_of_two(value_at(call, state, 0) - top) : Real(1);
    value_at(call, state, 0) = top;
#pragma unroll 1
    for (int k = 1; k < SUMS_END; ++k) value_at(call, state, k) *= factor;
}

// What a thread does at the pairs of its row.
struct Weighing {
    Real reference, top, pending, total[SCALAR_SLOTS], lost[SCALAR_SLOTS];

    DEVICE void start() {
        reference = -FINITE, top = -math::infinity(Real()), pending = 1;
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) total[k] = lost[k] = 0;
    }

    // Puts powers, and what else parts share, into the planes, and adds the other terms. The sums of
    // this row are to be scaled by `factors`, those in memory by all since they were last added to.
    DEVICE void take(
        const Real *p, const Real *u, const Staging &tile, int count, bool flush) {
        Real least = -FINITE, sum[SCALAR_SLOTS];
#pragma unroll 4
        for (int at = 0; at < count; ++at) {
            Real v[COLUMN_SLOTS];
            get_column(tile.columns, at, v);
            const Real exponent = pair_exponent(p, u, v);
            least = math::greatest(exponent, least);
            if (EXACT) top = math::greatest(exponent, top);
        }
        const Real old = reference;
        reference = raised(old, least);
        const Real factor = power_of_two(old - reference);
        pending *= factor;
        tile.factors[threadIdx.x] = factor;
        tile.factors[TILE_ROWS + threadIdx.x] = pending;
        if (flush) pending = 1;
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) sum[k] = 0, total[k] *= factor, lost[k] *= factor;
#pragma unroll 4
        for (int at = 0; at < count; ++at) {
            Real v[COLUMN_SLOTS], shared[SHARED], terms[SCALAR_SLOTS];
            get_column(tile.columns, at, v);
            pair_weights(p, u, v, shared, terms);
            const Real power = power_of_two(shared[0] - reference);
            plane_at(tile.columns, 0, at, threadIdx.x) = power;
#pragma unroll
            for (int k = 1; k < SHARED; ++k)
                plane_at(tile.columns, k, at, threadIdx.x) = shared[k];
#pragma unroll
            for (int k = 0; k < SCALARS; ++k) sum[k] = math::fma(power, terms[k], sum[k]);
        }
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) add_sum(total[k], lost[k], sum[k]);
    }

    DEVICE void put(const Call &call, const State &state) const {
        value_at(call, state, 0) = reference;
        if (EXACT) value_at(call, state, TOP) = top;
#pragma unroll
        for (int k = 0; k < SCALARS; ++k) value_at(call, state, state_of(k)) = total[k];
    }
};
