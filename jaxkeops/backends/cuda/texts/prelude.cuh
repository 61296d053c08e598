// What the machine gives, under the names that all other texts use. An emulator may stand in.

#define DEVICE __device__ __forceinline__
#define KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define ARGUMENT const __grid_constant__
#define SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]

typedef long long Index;

// Errors in ULP where no source is named: the tables of "Mathematical Functions" in the CUDA C++
// Programming Guide. Approximations flush subnormal operands and results to zero.
namespace math {

template <class Real> struct alignas(4 * sizeof(Real)) Quad {
    Real x, y, z, w;
};
template <> struct alignas(16) Quad<double> {
    double x, y, z, w;
};
template <class Real> struct alignas(2 * sizeof(Real)) Pair {
    Real x, y;
};

DEVICE float infinity(float) { return __int_as_float(0x7f800000); }
DEVICE double infinity(double) { return __longlong_as_double(0x7ff0000000000000); }
DEVICE float nan(float) { return __int_as_float(0x7fc00000); }
DEVICE double nan(double) { return __longlong_as_double(0x7ff8000000000000); }

DEVICE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
DEVICE double fma(double a, double b, double c) { return __fma_rn(a, b, c); }
DEVICE float abs(float a) { return fabsf(a); }
DEVICE double abs(double a) { return fabs(a); }
DEVICE float least(float a, float b) { return fminf(a, b); } // of a NaN and a number, the number
DEVICE double least(double a, double b) { return fmin(a, b); }
DEVICE float greatest(float a, float b) { return fmaxf(a, b); }
DEVICE double greatest(double a, double b) { return fmax(a, b); }
DEVICE float nearest(float a) { return rintf(a); }
DEVICE double nearest(double a) { return rint(a); }

// 2 ULP, where an IEEE division would be a call (PTX ISA, div.full).
DEVICE float div(float a, float b) {
    float q;
    asm("div.full.f32 %0, %1, %2;" : "=f"(q) : "f"(a), "f"(b));
    return q;
}
DEVICE double div(double a, double b) { return a / b; }

// 2 ULP (PTX ISA, ex2.approx): one instruction, where exp2f would be four.
DEVICE float exp2(float a) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(a));
    return power;
}
// That of a double is in power_of_two.cuh.

// 1 ULP (PTX ISA, sqrt.approx).
DEVICE float sqrt(float a) {
    float root;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(root) : "f"(a));
    return root;
}
DEVICE double sqrt(double a) { return ::sqrt(a); }

// 2 ULP (PTX ISA, rsqrt.approx: a relative error of 2^-22.9).
DEVICE float rsqrt(float a) {
    float root;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(root) : "f"(a));
    return root;
}
DEVICE double rsqrt(double a) { return 1.0 / ::sqrt(a); }

DEVICE float floor(float a) { return floorf(a); }
DEVICE double floor(double a) { return ::floor(a); }
DEVICE float round(float a) { return roundf(a); }
DEVICE double round(double a) { return ::round(a); }
DEVICE float exp(float a) { return expf(a); }
DEVICE double exp(double a) { return ::exp(a); }
DEVICE float log(float a) { return logf(a); }
DEVICE double log(double a) { return ::log(a); }
DEVICE float sin(float a) { return sinf(a); }
DEVICE double sin(double a) { return ::sin(a); }
DEVICE float cos(float a) { return cosf(a); }
DEVICE double cos(double a) { return ::cos(a); }
DEVICE float asin(float a) { return asinf(a); }
DEVICE double asin(double a) { return ::asin(a); }
DEVICE float acos(float a) { return acosf(a); }
DEVICE double acos(double a) { return ::acos(a); }
DEVICE float atan(float a) { return atanf(a); }
DEVICE double atan(double a) { return ::atan(a); }
DEVICE float atan2(float a, float b) { return atan2f(a, b); }
DEVICE double atan2(double a, double b) { return ::atan2(a, b); }
DEVICE float pow(float a, float b) { return powf(a, b); }
DEVICE double pow(double a, double b) { return ::pow(a, b); }
DEVICE float tanh(float a) { return tanhf(a); }
DEVICE double tanh(double a) { return ::tanh(a); }

DEVICE unsigned bits(float a) { return __float_as_uint(a); }
DEVICE float from_bits(unsigned a) { return __uint_as_float(a); }

DEVICE int high_word(double a) { return __double2hiint(a); }
DEVICE int low_word(double a) { return __double2loint(a); }
DEVICE double from_words(int high, int low) { return __hiloint2double(high, low); }

DEVICE float from_float16(unsigned short stored) {
    float number;
    asm("cvt.f32.f16 %0, %1;" : "=f"(number) : "h"(stored));
    return number;
}
DEVICE unsigned short to_float16(float number) {
    unsigned short stored;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(stored) : "f"(number));
    return stored;
}

// Two numbers as float16, the first in the low half, and what these are.
DEVICE unsigned two_float16(float first, float second) {
    unsigned both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
}
DEVICE Pair<float> from_two_float16(unsigned both) {
    return {from_float16((unsigned short)both), from_float16((unsigned short)(both >> 16))};
}

} // namespace math

// Numbers that no kernel of the call writes.
template <class T> DEVICE T read_only(const T *address) { return __ldg(address); }
DEVICE math::Quad<float> read_only(const math::Quad<float> *address) {
    const float4 four = __ldg((const float4 *)address);
    return {four.x, four.y, four.z, four.w};
}

// The value of lane `lane ^ mask`, in all lanes of the warp at once.
DEVICE double from_lane(double value, int mask) { return __shfl_xor_sync(~0u, value, mask); }
DEVICE float from_lane(float value, int mask) { return __shfl_xor_sync(~0u, value, mask); }
// 0, but the compiler does not know it: what is made of it is not kept in registers from long before.
DEVICE int late_zero() {
    int zero;
    asm volatile("mov.u32 %0, 0;" : "=r"(zero));
    return zero;
}

// Where the lanes of a warp meet.
DEVICE void together() { __syncwarp(); }
DEVICE bool any_thread(bool condition) { return __syncthreads_or(condition); }
DEVICE bool any_lane(bool condition) { return __any_sync(~0u, condition); }

// Whether there are units that multiply matrices of float16 as below.
#if __CUDA_ARCH__ >= 800
constexpr bool MATRIX_UNITS = true;
#else
constexpr bool MATRIX_UNITS = false;
#endif

// sum = a b + added for a of (16, 16) and b of (16, 8), float16, spread over the warp; with g = lane / 4 and
// t = lane % 4 a lane has two numbers in a word (PTX ISA, "Matrix Fragments for mma.m16n8k16"):
// a: (g + 8 (w % 2), 2 t + 8 (w / 2) + 0, 1) in word w; b: (2 t + 8 w + 0, 1; g); and of the sums
// (g + 8 (k / 2), 2 t + k % 2).
DEVICE void multiply_add(
    float *sum, const unsigned *a, const unsigned *b, const float *added) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
                 : "=f"(sum[0]), "=f"(sum[1]), "=f"(sum[2]), "=f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]),
                   "f"(added[0]), "f"(added[1]), "f"(added[2]), "f"(added[3]));
}

// The same for a of (16, 8) and b of (8, 8) in float32, of which 11 bits of each number count: a:
// (g + 8 (w % 2), t + 4 (w / 2)); b: (t + 4 w, g).
DEVICE void multiply_add_halves(
    float *sum, const unsigned *a, const unsigned *b, const float *added) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
                 : "=f"(sum[0]), "=f"(sum[1]), "=f"(sum[2]), "=f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]),
                   "f"(added[0]), "f"(added[1]), "f"(added[2]), "f"(added[3]));
}

// Four matrices of 8 rows of 16 bytes from shared memory: lane k gives where row k % 8 of matrix k / 8
// is, and gets numbers 2 t and 2 t + 1 of row g of each.
DEVICE void load_matrices(unsigned *words, const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row)));
}
