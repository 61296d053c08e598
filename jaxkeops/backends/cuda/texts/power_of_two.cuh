// Powers of two. That of float64 takes 14 operations of the units for float64, CUDA's takes 19.

DEVICE float power_of_two(float a) { return math::exp2(a); }

// 2^n for the exponents of normal numbers.
DEVICE double whole_power(int n) { return math::from_words((n + 1023) << 20, 0); }

// Within 1 ULP. The nearest whole number stands in the low bits of a sum with 1.5 2^52, the rest goes
// into a polynomial (tools/fit_polynomials.py), and the exponent is added as an integer.
DEVICE double power_of_two(double a) {
    const double magic = 0x1.8p52;
    const int size = math::high_word(a) & 0x7fffffff; // |a|, as integers order it
    // Below 1021 neither the result nor any step on the way leaves the normal numbers.
    const bool usual = size < 0x408fe800;
    // Beyond 1080 the result is 0 or infinite; a NaN stays one.
    if (size > 0x4090e000 && size < 0x7ff80000)
        a = math::from_words(math::high_word(a) < 0 ? (int)0xc090e000 : 0x4090e000, 0);
    const double sum = a + magic;
    const int n = math::low_word(sum);
    const double rest = a - (sum - magic);
    double p = 4.4549605981865186e-10;
    p = math::fma(p, rest, 7.072585949269223e-09);
    p = math::fma(p, rest, 1.0178062445845774e-07);
    p = math::fma(p, rest, 1.321544258792169e-06);
    p = math::fma(p, rest, 1.525273382983612e-05);
    p = math::fma(p, rest, 0.0001540353044173605);
    p = math::fma(p, rest, 0.0013333558146416936);
    p = math::fma(p, rest, 0.009618129107606888);
    p = math::fma(p, rest, 0.0555041086648216);
    p = math::fma(p, rest, 0.24022650695910097);
    p = math::fma(p, rest, 0.6931471805599453);
    p = math::fma(p, rest, 1.0);
    if (usual) return math::from_words(math::high_word(p) + (n << 20), math::low_word(p));
    const int half = n >> 1;
    return p * whole_power(half) * whole_power(n - half);
}
