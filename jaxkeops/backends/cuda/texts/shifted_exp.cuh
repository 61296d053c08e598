// Sums of exponentials against a reference that is only moved when it must be.
//
// Value (1 + WEIGHTS) e of a state is the reference of exponent e, a whole number, so that scaling
// by the difference of two references is exact. The values behind it are its sums. If EXACT, the
// greatest exponents themselves come after all of these.

// A reference holds until a sum passes this: far from the overflow of float32 even after a tile of
// such terms, and far above what a reference within a few units gives.
DEVICE Real safe_sum() { return 0x1p60f; }
// Beyond this an exponent that was not rounded may be far from one that was, and from the
// reference that was made of it.
DEVICE Real safe_reference() { return 0x1p20f; }
// The first columns give the first reference, by two walks over them.
constexpr int FIRST_COLUMNS = 16;
constexpr int EACH = 1 + WEIGHTS;
constexpr int TOPS = EXPONENTS * EACH;

DEVICE void start(State &state) {
#pragma unroll
    for (int k = 0; k < STATE_VALUES; ++k) state.value[k] = state.lost[k] = 0;
#pragma unroll
    for (int e = 0; e < EXPONENTS; ++e) {
        state.value[e * EACH] = -FINITE;
        if (EXACT) state.value[TOPS + e] = -math::infinity(Real());
    }
}

// Makes the reference of exponent e at least the whole number next to `least`.
DEVICE void raise(State &state, int e, Real least) {
    const Real old = state.value[e * EACH];
    const Real whole = math::least(math::nearest(least), FINITE);
    const Real reference = math::greatest(whole, old);
    const Real factor = power_of_two(old - reference);
    state.value[e * EACH] = reference;
#pragma unroll
    for (int k = e * EACH + 1; k < (e + 1) * EACH; ++k)
        state.value[k] *= factor, state.lost[k] *= factor;
}

DEVICE void merge(const Call &, State &state, const State &later) {
#pragma unroll
    for (int e = 0; e < EXPONENTS; ++e) {
        raise(state, e, later.value[e * EACH]);
        const Real factor = power_of_two(later.value[e * EACH] - state.value[e * EACH]);
#pragma unroll
        for (int k = e * EACH + 1; k < (e + 1) * EACH; ++k)
            add_sum(state.value[k], state.lost[k], later.value[k] * factor);
        if (EXACT)
            state.value[TOPS + e] = math::greatest(state.value[TOPS + e], later.value[TOPS + e]);
    }
}

DEVICE void settle(const Call &, const Arrays &, const Tile &, const Share &, Index, State &) {}

// Makes the greatest exponents the references, if they were asked for.
DEVICE void conclude(const Call &, const Tile &, State &state) {
    if (!EXACT) return;
#pragma unroll
    for (int e = 0; e < EXPONENTS; ++e) {
        const Real top = state.value[TOPS + e];
        const bool finite = math::abs(top) < math::infinity(Real());
        const Real factor = finite ? power_of_two(state.value[e * EACH] - top) : Real(1);
        state.value[e * EACH] = top;
#pragma unroll
        for (int k = e * EACH + 1; k < (e + 1) * EACH; ++k) state.value[k] *= factor;
    }
}

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
        const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int count,
        unsigned number, bool) {
        const bool scaled = SCALED > 0 && are_scaled(columns);
        int from = 0;
        while (from < count) {
            const bool first = number == 0 && from == 0;
            const int to = first && count > FIRST_COLUMNS ? FIRST_COLUMNS : count;
            Real sum[ROWS][STATE_SLOTS];
#pragma unroll 1
            for (bool careful = first;; careful = true) {
#pragma unroll
                for (int r = 0; r < ROWS; ++r)
#pragma unroll
                    for (int k = 0; k < STATE_VALUES; ++k) sum[r][k] = 0;
                const int groups = careful ? from : end_of_groups(from, to);
                if (careful) raise_references(scaled, p, u, columns, from, to);
                else add_groups_either_way(scaled, p, u, columns, from, groups, sum);
                add_columns(scaled, p, u, columns, groups, to, sum);
                if (careful || are_good(sum)) break;
            }
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
#pragma unroll
                for (int e = 0; e < EXPONENTS; ++e)
#pragma unroll
                    for (int k = e * EACH + 1; k < (e + 1) * EACH; ++k)
                        add_sum(state[r].value[k], state[r].lost[k], sum[r][k]);
            from = to;
        }
    }

  private:
    // Of a pair whose rows are scaled or not. A template, because there may be no scaled way.
    template <class Way>
    DEVICE static void exponents_of(
        Way way, bool scaled, const Real *p, const Real *u, const Real *v, Real *exponents) {
        if constexpr (SCALED > 0) {
            if (scaled) return pair_exponents(way, p, u, v, exponents);
        }
        pair_exponents(Exact(), p, u, v, exponents);
    }

    // The exponents of a pair less the references of its row, rounded before and after.
    DEVICE static void rounded_excess(
        bool scaled, const Real *p, const Real *u, const Real *v, State &held, Real *excess) {
        exponents_of(Scaled(), scaled, p, u, v, excess);
#pragma unroll
        for (int e = 0; e < EXPONENTS; ++e) {
            if (EXACT) held.value[TOPS + e] = math::greatest(excess[e], held.value[TOPS + e]);
            excess[e] -= held.value[e * EACH];
        }
    }

    // The same, rounded at the end only.
    template <class Way>
    DEVICE static void quick_excess(
        Way way, const Real *p, const Real *u, const Real *v, const State &held, Real *excess) {
        Real references[EXPONENTS];
#pragma unroll
        for (int e = 0; e < EXPONENTS; ++e) references[e] = held.value[e * EACH];
        pair_excess(way, p, u, v, references, excess);
    }

    // The powers of one pair, times its weights, added to `sum`.
    DEVICE static void add_powers(
        const Real *p, const Real *u, const Real *v, const Real *excess, Real *sum) {
        Real weights[WEIGHTS];
        pair_weights(p, u, v, weights);
#pragma unroll
        for (int e = 0; e < EXPONENTS; ++e) {
            const Real power = power_of_two(excess[e]);
#pragma unroll
            for (int k = 0; k < WEIGHTS; ++k)
                sum[e * EACH + 1 + k] = math::fma(power, weights[k], sum[e * EACH + 1 + k]);
        }
    }

    DEVICE void add_groups_either_way(
        bool scaled, const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int from,
        int to, Real (*sum)[STATE_SLOTS]) {
        if constexpr (SCALED > 0) {
            if (scaled) return add_groups(Scaled(), true, p, u, columns, from, to, sum);
        }
        add_groups(Exact(), false, p, u, columns, from, to, sum);
    }

    template <class Way>
    DEVICE void add_groups(
        Way way, bool scaled, const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns,
        int from, int to, Real (*sum)[STATE_SLOTS]) {
        const Real *group = group_at(columns, from);
        const Real *const end = group_at(columns, to);
#pragma unroll 1
        for (; group < end; group += GROUP_SIZE) {
            Real v[4][COLUMN_SLOTS];
            get_group(group, v);
#pragma unroll
            for (int q = 0; q < 4; ++q)
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    Real excess[EXPONENTS];
                    if (EXACT) rounded_excess(scaled, p, u[r], v[q], state[r], excess);
                    else quick_excess(way, p, u[r], v[q], state[r], excess);
                    add_powers(p, u[r], v[q], excess, sum[r]);
                }
        }
    }

    // One by one: those behind the last group, or all of them.
    DEVICE void add_columns(
        bool scaled, const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int from,
        int to, Real (*sum)[STATE_SLOTS]) {
#pragma unroll 1
        for (int at = from; at < to; ++at) {
            Real v[COLUMN_SLOTS];
            get_column(columns, at, v);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                Real excess[EXPONENTS];
                rounded_excess(scaled, p, u[r], v, state[r], excess);
                add_powers(p, u[r], v, excess, sum[r]);
            }
        }
    }

    // Whether the references were good enough for all sums.
    DEVICE bool are_good(const Real (*sum)[STATE_SLOTS]) const {
        bool good = true;
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int e = 0; e < EXPONENTS; ++e) {
                if (math::abs(state[r].value[e * EACH]) > safe_reference()) good = false;
#pragma unroll
                for (int k = e * EACH + 1; k < (e + 1) * EACH; ++k)
                    if (math::abs(sum[r][k]) > safe_sum()) good = false;
            }
        return good;
    }

    // Makes the references fit for some columns.
    DEVICE void raise_references(
        bool scaled, const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int from,
        int to) {
        Real top[ROWS][EXPONENTS];
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int e = 0; e < EXPONENTS; ++e) top[r][e] = -FINITE;
#pragma unroll 1
        for (int at = from; at < to; ++at) {
            Real v[COLUMN_SLOTS];
            get_column(columns, at, v);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                Real exponents[EXPONENTS];
                exponents_of(Scaled(), scaled, p, u[r], v, exponents);
#pragma unroll
                for (int e = 0; e < EXPONENTS; ++e)
                    top[r][e] = math::greatest(exponents[e], top[r][e]);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int e = 0; e < EXPONENTS; ++e) raise(state[r], e, top[r][e]);
    }
};
