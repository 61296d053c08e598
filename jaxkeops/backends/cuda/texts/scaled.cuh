// Rows and columns as exponents want them that are sums of squared differences.
//
// A sum of f (x - y)^2 over components is that of -(x' - y')^2, where x' = (x - c) sqrt(-f), and y'
// likewise, which spares each pair the products with f. It rounds, by a known amount. Let u be the
// unit of rounding, d = |x' - y'| and |x'| <= REACH, so that |y'| <= d + REACH. The roundings of x'
// and y' are off by 2 u |x'| and 2 u |y'|, which makes 2 d (2 u |x'| + 2 u |y'|) <= 4 u d (d + 2
// REACH) in the exponent; the root is off by 3 u, which makes 6 u d^2. The greatest values of d^2
// 2^(-d^2) and of d 2^(-d^2) are 0.53 and 0.52: a power is off by at most (3.7 + 2.9 REACH) u, and
// is at most 1. Where x = y, x' = y'.
//
// So the rows of a block are tried: they must lie within REACH of a centre c. Else, or if an f has
// no such root, rows and columns are left as they are.

constexpr int REACH = 4;

// Behind the columns of a tile. on: 1, or 0 where the shift is 0 and the scale 1.
struct Scaling {
    Real shift[SCALED], scale[SCALES], on;
};

DEVICE Scaling &scaling_of(Real *columns) {
    return *(Scaling *)(columns + TILE_COLUMNS * COLUMN_VALUES);
}
DEVICE bool are_scaled(const Real *columns) { return scaling_of((Real *)columns).on != 0; }

// Scales the rows of all threads of the block; false if they have to be loaded again, and stay as
// they are: what was tried once is not tried again.
template <int ROWS>
DEVICE bool scale_rows(const Real *p, Real (*u)[ROW_SLOTS], Real *columns, bool tried) {
    Scaling &scaling = scaling_of(columns);
    Real scales[SCALES];
    pair_scales(p, scales);
    bool near = true;
#pragma unroll
    for (int s = 0; s < SCALES; ++s)
        near = near && scales[s] > 0 && scales[s] < math::infinity(Real());
    if (threadIdx.x == 0) {
        scaling.on = !tried;
#pragma unroll
        for (int s = 0; s < SCALES; ++s) scaling.scale[s] = tried ? Real(1) : scales[s];
#pragma unroll
        for (int k = 0; k < SCALED; ++k) {
            const Real ends = u[0][scaled_row(k)] + u[ROWS - 1][scaled_row(k)];
            scaling.shift[k] = tried ? Real(0) : ends * Real(0.5);
        }
    }
    __syncthreads();
    Real squares[ROWS] = {};
#pragma unroll
    for (int k = 0; k < SCALED; ++k) {
        const Real shift = scaling.shift[k], scale = scaling.scale[scale_of(k)];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            Real &value = u[r][scaled_row(k)];
            value = (value - shift) * scale;
            squares[r] = math::fma(value, value, squares[r]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) near = near && squares[r] <= REACH * REACH; // false of a NaN
    return tried || !any_thread(!near);
}

DEVICE void scale_column(const Real *columns, Real *v) {
    const Scaling &scaling = scaling_of((Real *)columns);
#pragma unroll
    for (int k = 0; k < SCALED; ++k) {
        Real &value = v[scaled_column(k)];
        value = (value - scaling.shift[k]) * scaling.scale[scale_of(k)];
    }
}
