// Sums that differ by their component alone, of weights of pairs times numbers of columns, by matrix
// units: a warp has the 32 rows of its threads, 8 sums in a tile, and 8 columns in a step.
//
// Weights of one row may be of all sizes, and each must keep its digits: the factors are in two pieces
// of float32's range, which have 11 bits each, and three products are taken as in matrix_sweep.cuh.

constexpr int PART_TILES = PART_COLUMNS / 2; // a thread has two sums of each
constexpr int SHARE_COLUMNS = 16; // whose weights are in registers, and whose numbers are staged
constexpr int EIGHTS = SHARE_COLUMNS / 8;
// Of two columns, four words together. Two more than are used: 16 bytes of four such rows then lie in
// different banks.
constexpr int PIECES_ROW = PART_ROWS * PART_COLUMNS + 2;

struct Halves {
    unsigned high, low; // of which units do not read the last 13 bits
    float rest;         // not finite if the number is not, or close to the greatest
};

DEVICE Halves halves_of(float number) {
    const unsigned half = 0x1000; // of the last bit that is read
    const unsigned high = (math::bits(number) + half) & ~0x1fffu;
    const float rest = number - math::from_bits(high);
    return {high, math::bits(rest) + half, rest};
}

// What two columns give to a sum.
typedef math::Quad<unsigned> TwoColumns; // high of both, low of both

// Stages what columns from number `start` on give to the sums from number `first` on, in pieces; those
// from `count` on give 0. Whether all numbers are finite.
template <class Part>
DEVICE bool stage_halves(const Staging &tile, int first, int start, int count) {
    constexpr int ACROSS = PART_ROWS * PART_COLUMNS;
    float poison = 0;
#pragma unroll 2
    for (int k = threadIdx.x + late_zero(); k < SHARE_COLUMNS / 2 * ACROSS; k += THREADS) {
        const int pair = k / ACROSS, place = k % ACROSS, wanted = first + place;
        const int c = wanted < Part::COUNT ? wanted : Part::COUNT - 1;
        Halves two[2];
#pragma unroll
        for (int q = 0; q < 2; ++q) {
            const int column = start + pair * 2 + q;
            Real part[1] = {0};
            if (column < count) Part::column_parts(tile.arrays, tile.where[column], c, tile.p, part);
            two[q] = halves_of(part[0]);
            poison = math::fma(two[q].rest, 0.0f, poison);
            if (!(math::abs(two[q].rest) < math::infinity(0.0f)))
                two[q].high = math::bits(part[0]), two[q].low = 0;
        }
        ((TwoColumns *)tile.staged)[pair * PIECES_ROW + place] = {
            two[0].high, two[1].high, two[0].low, two[1].low};
    }
    return poison == poison;
}

// The pieces of this thread's weights of some columns. A step has columns 2 t and 2 t + 1 where the
// units' matrices have t and t + 4, of both factors.
struct Weights {
    unsigned high[2][EIGHTS][4], low[2][EIGHTS][4];

    // Whether all of the warp are finite.
    DEVICE bool load(const Staging &tile, int shared, int first) {
        float poison = 0;
        const Real *const cell =
            &plane_at(tile.columns, shared, first + lane_column() + late_zero(), lane_row(0));
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int step = 0; step < EIGHTS; ++step)
#pragma unroll
                for (int w = 0; w < 4; ++w) {
                    const Halves halves = halves_of(
                        cell[step * 2 * GROUP_SIZE + w / 2 * COLUMN_STEP +
                             (m * 16 + w % 2 * 8) * ROW_STEP]);
                    high[m][step][w] = halves.high, low[m][step][w] = halves.low;
                    poison = math::fma(halves.rest, 0.0f, poison);
                }
        return !any_lane(poison != poison);
    }
};

// Adds their products with two tiles of sums, from tile `tiles` on.
DEVICE void multiply_weights(
    const Weights &weights, const TwoColumns *columns, int tiles,
    Real (*sum)[PART_COLUMNS]) {
    const float zeros[4] = {0, 0, 0, 0};
    float added[2][2][4];
    unsigned high[EIGHTS][2][2];
#pragma unroll
    for (int step = 0; step < EIGHTS; ++step) {
        unsigned low[2][2];
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            const TwoColumns two = columns[step * 4 * PIECES_ROW + (tiles + n) * 8];
            high[step][n][0] = two.x, high[step][n][1] = two.y;
            low[n][0] = two.z, low[n][1] = two.w;
        }
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
                multiply_add_halves(
                    added[m][n], weights.high[m][step], low[n], step ? added[m][n] : zeros);
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
                multiply_add_halves(
                    added[m][n], weights.low[m][step], high[step][n], added[m][n]);
    }
#pragma unroll
    for (int step = 0; step < EIGHTS; ++step)
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int n = 0; n < 2; ++n)
                multiply_add_halves(
                    added[m][n], weights.high[m][step], high[step][n], added[m][n]);
#pragma unroll
    for (int r = 0; r < PART_ROWS; ++r)
#pragma unroll
        for (int e = 0; e < 4; ++e)
            sum[r][tiles * 2 + e] += added[r / 2][e / 2][r % 2 * 2 + e % 2];
}

// The same one by one, for numbers that are not finite.
template <class Part>
DEVICE void add_one_by_one(const Staging &tile, int start, int count, Real (*sum)[PART_COLUMNS]) {
    const TwoColumns *parts = (const TwoColumns *)tile.staged + lane_column();
#pragma unroll 1
    for (int column = start; column < count; ++column) {
        const bool second = (column - start) % 2 != 0;
#pragma unroll
        for (int r = 0; r < PART_ROWS; ++r) {
            const Real weight = plane_at(tile.columns, Part::WEIGHT, column, lane_row(r));
#pragma unroll
            for (int e = 0; e < PART_COLUMNS; ++e) {
                const TwoColumns two = parts[e / 2 * 8 + e % 2];
                const float high = math::from_bits(second ? two.y : two.x);
                const float low = math::from_bits((second ? two.w : two.z) & ~0x1fffu);
                sum[r][e] = math::fma(weight, high + low, sum[r][e]);
            }
        }
        if (second) parts += PIECES_ROW;
    }
}

// Adds the staged columns. finite: whether all that is staged is.
template <class Part>
DEVICE void add_staged(
    const Staging &tile, int start, int count, bool finite, Real (*sum)[PART_COLUMNS]) {
    Weights weights;
    if (weights.load(tile, Part::WEIGHT, start) && finite) {
        const TwoColumns *const columns =
            (const TwoColumns *)tile.staged + lane() % 4 * PIECES_ROW + lane() / 4;
#pragma unroll
        for (int tiles = 0; tiles < PART_TILES; tiles += 2) {
            multiply_weights(weights, columns, tiles, sum);
            // Else the compiler loads for all tiles at once, and registers do not hold that.
            together();
        }
    } else {
        const int last = start + SHARE_COLUMNS < count ? start + SHARE_COLUMNS : count;
        add_one_by_one<Part>(tile, start, last, sum);
    }
}
