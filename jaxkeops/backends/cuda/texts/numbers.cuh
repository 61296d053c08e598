// Numbers as arrays hold them; those of 16 bits become float32 as they come in, and go back out.

struct Float16 {
    unsigned short stored;
};
struct BFloat16 {
    unsigned short stored;
};

DEVICE float get(const float *where) { return read_only(where); }
DEVICE double get(const double *where) { return read_only(where); }
DEVICE float get(const Float16 *where) { return math::from_float16(read_only(&where->stored)); }
DEVICE float get(const BFloat16 *where) {
    return math::from_bits((unsigned)read_only(&where->stored) << 16);
}

DEVICE void put(float *where, float number) { *where = number; }
DEVICE void put(float *where, double number) { *where = (float)number; }
DEVICE void put(double *where, double number) { *where = number; }
DEVICE void put(Float16 *where, float number) { where->stored = math::to_float16(number); }
DEVICE void put(BFloat16 *where, float number) {
    const unsigned bits = math::bits(number);
    // To nearest, ties to even; a NaN stays one.
    const unsigned rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    where->stored = number == number ? rounded : bits >> 16 | 0x40;
}
DEVICE void put(int *where, Index number) { *where = (int)number; }
DEVICE void put(Index *where, Index number) { *where = number; }
