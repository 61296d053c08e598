// csrc/core/half.h -- numbers of 16 bits: double rounded to float16 or bfloat16, once
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace jaxkeops {

/// A format of 16 bits: a sign, an exponent, and `digits` bits after the leading one.
template <int digits, int least_exponent>
struct Half {
    uint16_t bits = 0;

    Half() = default;

    /// The nearest number, ties to even; infinite from half a step above the greatest on. NaN
    /// stays.
    explicit Half(double value) {
        constexpr double infinity = ((1 << 15) - 1) >> digits << digits;
        const double magnitude = std::fabs(value);
        double found = infinity;
        if (std::isnan(value)) {
            found += 1 << (digits - 1);
        } else if (magnitude < std::ldexp(1.0, 2 - least_exponent)) { // 2^(greatest exponent + 1)
            const int exponent =
                magnitude > 0 ? std::max(std::ilogb(magnitude), least_exponent) : least_exponent;
            // A mantissa that rounds up to the next power of two carries into the exponent.
            found = std::nearbyint(std::ldexp(magnitude, digits - exponent)) +
                    std::ldexp(exponent - least_exponent, digits);
        }
        bits = static_cast<uint16_t>(static_cast<uint16_t>(found) | std::signbit(value) << 15);
    }
};

using Float16 = Half<10, -14>;
using BFloat16 = Half<7, -126>;

static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2);

} // namespace jaxkeops
