// csrc/cpu/partials.cpp -- compensated summation of the partial sums, in the order of the rows
#include "partials.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace jaxkeops {

void ColumnSums::clear() {
    std::fill(sums_, sums_ + ColumnSums::kNumbers * width_, 0.0);
}

void ColumnSums::add(const double *terms) {
    for (int64_t c = 0; c < width_; ++c) {
        const double a = sums_[c], b = terms[c], sum = a + b, part = sum - a;
        errors_[c] += (a - (sum - part)) + (b - part);
        sums_[c] = sum;
    }
}

void ColumnSums::write(double *totals) const {
    for (int64_t c = 0; c < width_; ++c) {
        const double total = sums_[c] + errors_[c];
        totals[c] = std::isfinite(total) ? total : sums_[c];
    }
}

Status Partials::allocate(const Problem &problem, const Cut &rows) {
    const int64_t width = partial_width(problem.kernel());
    if (width == 0 || rows.chunks == 1)
        return Status::ok();
    // Far from the limit double is exact enough, and the integers below cannot overflow. Beyond
    // the items lies what `write_totals` needs itself.
    const double lines = static_cast<double>(width) * sizeof(double) + AlignedMemory::kAlign;
    const double estimate = lines * (static_cast<double>(rows.items) + ColumnSums::kNumbers + 1);
    if (estimate <= 0x1p62) {
        stride_ = AlignedMemory::round_up(width * static_cast<int64_t>(sizeof(double)));
        items_ = rows.items;
        chunks_ = rows.chunks;
        if (memory_.allocate(stride_ * (items_ + ColumnSums::kNumbers + 1)))
            return Status::ok();
    }
    return Status::no_memory("no memory for " + std::to_string(rows.items) + " partial sums of " +
                             std::to_string(width) + " numbers");
}

void Partials::write_totals(const Problem &problem) const {
    if (!memory_.data())
        return;
    double *const totals = at(items_);
    ColumnSums sums(at(items_ + 1), partial_width(problem.kernel()));
    for (int64_t item = 0; item < items_;) {
        const int64_t element = item / chunks_;
        sums.clear();
        for (const int64_t end = item + chunks_; item < end; ++item)
            sums.add(at(item));
        sums.write(totals);
        problem.write_totals(element, totals);
    }
}

} // namespace jaxkeops
