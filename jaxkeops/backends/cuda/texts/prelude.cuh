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

} // namespace math

// Numbers that no kernel of the call writes.
template <class T> DEVICE T read_only(const T *address) { return __ldg(address); }

// The value of lane `lane ^ mask`, in all lanes of the warp at once.
DEVICE double from_lane(double value, int mask) { return __shfl_xor_sync(~0u, value, mask); }
DEVICE bool any_thread(bool condition) { return __syncthreads_or(condition); }
DEVICE bool any_lane(bool condition) { return __any_sync(~0u, condition); }
