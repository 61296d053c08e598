// Numbers as two of float16 each: high is the nearest one, and low is 2^11 times what it lacks.
//
// Before that, a row or a column is scaled by a power of two, so that its greatest number is in
// [2^14, 2^15). Of a number that is then 2^-14 or more, the two hold all but 2^-22; of a smaller one,
// all but 2^-36. Without the factor 2^11, low would lose digits 2^17 below the greatest already.

// How the factors of a sum lie in memory. A chunk has STEPS * 16 components, those that are staged at
// a time: first all high, then all low ones. What is behind the last component is 0.
template <class Sweep> struct Pieces {
    constexpr static int STEPS = Sweep::STEPS, CHUNKS = Sweep::CHUNKS;
    constexpr static int COMPONENTS = STEPS * 16;              // of a chunk
    constexpr static int KINDS = Sweep::EXACT_HALVES ? 1 : 2;  // high and low
    constexpr static int WORDS = KINDS * COMPONENTS / 2;       // of a chunk, two numbers each
};

constexpr float LOW_SCALE = 2048;

struct Split {
    unsigned high, low; // of two numbers
};

DEVICE Split split(float a, float b) {
    const unsigned high = math::two_float16(a, b);
    const math::Pair<float> near = math::from_two_float16(high);
    return {high, math::two_float16((a - near.x) * LOW_SCALE, (b - near.y) * LOW_SCALE)};
}

// The scale of a row or column, and what takes it back: NaN where the pieces would not serve.
struct Scale {
    float scale, inverse;
};

// largest: the greatest absolute value. Scales are within 2^-60 and 2^60: products of two pieces, and
// of what takes scales back, then neither overflow nor lose digits.
DEVICE Scale scale_of(float largest) {
    const int exponent = (int)(math::bits(largest) >> 23);
    const int wanted = 127 + 14 - exponent, least = -60, most = 60;
    const int power = wanted > most ? most : wanted;
    if (!(power >= least)) return {0, math::nan(0.0f)}; // also for infinity and NaN
    return {math::from_bits((unsigned)(127 + power) << 23),
            math::from_bits((unsigned)(127 - power) << 23)};
}

// What is known of a row or column when all its numbers were seen.
struct Seen {
    float largest, poison; // poison: 0, or NaN where a number is not finite

    DEVICE void take(float number) {
        largest = math::greatest(math::abs(number), largest);
        poison = math::fma(number, 0.0f, poison);
    }
};

// Whether so little of the number is left that its pieces lack more than float32 would round away.
DEVICE bool is_lost(float scaled) {
    return scaled != 0 && math::abs(scaled) < 0x1p-14f;
}

// Those of a column go to the scratch.
template <class Sweep>
DEVICE void store_pieces(const Arrays &arrays, Index column, const Real *p, Real *scratch) {
    typedef Pieces<Sweep> Of;
    Seen seen = {0, 0};
#pragma unroll 4
    for (int c = 0; c < Sweep::COUNT; ++c) {
        Real part[1];
        Sweep::column_parts(arrays, column, c, p, part);
        seen.take(part[0]);
    }
    const Scale scale = scale_of(seen.largest);
    bool lost = false;
    unsigned *const words = (unsigned *)(scratch + Sweep::PIECES);
#pragma unroll 2
    for (int c = 0; c < Of::CHUNKS * Of::COMPONENTS; c += 2) {
        Real part[2] = {0, 0};
#pragma unroll
        for (int q = 0; q < 2; ++q) {
            if (c + q >= Sweep::COUNT) continue;
            Sweep::column_parts(arrays, column, c + q, p, part + q);
            part[q] *= scale.scale;
            lost |= !Sweep::BOUNDED && is_lost(part[q]);
        }
        const Split two = split(part[0], part[1]);
        unsigned *const word = words + c / Of::COMPONENTS * Of::WORDS + c % Of::COMPONENTS / 2;
        *word = two.high;
        if (Of::KINDS == 2) word[Of::COMPONENTS / 2] = two.low;
    }
    scratch[Sweep::INVERSE] = lost ? math::nan(0.0f) : scale.inverse + seen.poison;
}
