// Walks over columns for lists: groups of four that beat no list of a thread are passed over.
//
// `Lists` says what the worst entries are, and puts values in their place.

template <int ROWS, int THREADS> struct Rows : Lists<ROWS, THREADS> {
    Index first; // position of the first column

    DEVICE void start_all(
        const Call &call, const Arrays &, Index split, Index element, const Tile &tile) {
        first = share_of(call, tile, split).first;
        this->start_lists(call, split, element, tile);
    }

    DEVICE void take(
        const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int count,
        unsigned number, bool) {
        const Index here = first + number * (Index)TILE_COLUMNS;
        const int last = end_of_groups(0, count);
        const Real *group = columns;
        const Real *const end = group_at(columns, last);
        // One place for all insertions, which are long: those of a group that has some, and of the
        // columns behind the last group.
#pragma unroll 1
        for (;; group += GROUP_SIZE) {
            int from = last, to = count;
            if (group < end) {
                if (!has_entries(p, u, group)) continue;
                from = (int)(group - columns) / GROUP_SIZE * 4, to = from + 4;
            }
            put_columns(p, u, columns, from, to, here);
            if (group >= end) break;
        }
    }

  private:
    // Whether one of four columns beats the worst entry of one row.
    DEVICE bool has_entries(
        const Real *p, const Real (*u)[ROW_SLOTS], const Real *group) const {
        Real v[4][COLUMN_SLOTS];
        get_group(group, v);
        bool beaten = false;
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            Real terms[4][LISTS];
#pragma unroll
            for (int q = 0; q < 4; ++q) pair_terms(p, u[r], v[q], terms[q]);
#pragma unroll
            for (int k = 0; k < LISTS; ++k) {
                const Real low = math::least(terms[0][k], terms[1][k]);
                const Real other = math::least(terms[2][k], terms[3][k]);
                beaten |= math::least(low, other) < this->worst(r, k);
            }
        }
        return beaten;
    }

    DEVICE void put_columns(
        const Real *p, const Real (*u)[ROW_SLOTS], const Real *columns, int from, int to,
        Index here) {
#pragma unroll 1
        for (int at = from; at < to; ++at) {
            Real v[COLUMN_SLOTS];
            get_column(columns, at, v);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                Real terms[LISTS];
                pair_terms(p, u[r], v, terms);
#pragma unroll
                for (int k = 0; k < LISTS; ++k)
                    if (terms[k] < this->worst(r, k)) this->put_entry(r, k, terms[k], here + at);
            }
        }
    }
};
