// tests/cpp/test_ranges.cpp -- ranges of any integers are read, and unsound ones refused with a
// text
#include "../../csrc/core/ranges.h"

#include "check.h"
#include "patterns.h"

#include <limits>

using namespace jaxkeops;
using namespace samples;

namespace {

/// What is wrong with a pattern over 10 rows and 9 columns, after `change`.
template <class T, class Change>
std::string refusal(Change change) {
    Pattern<T> pattern;
    pattern.add({0, 3}, {{0, 4}, {2, 9}});
    pattern.add({5, 10}, {{1, 1}});
    pattern.add({3, 4}, {{7, 8}});
    std::array<Buffer, 3> arrays = pattern.buffers();
    change(pattern, arrays);
    return Ranges().bind(arrays.data(), 10, 9).message();
}

template <class T>
void test_unsound_ranges_are_refused() {
    const auto with = [](auto change) { return refusal<T>(change); };
    using P = Pattern<T>;
    using B = std::array<Buffer, 3>;
    constexpr T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    CHECK(with([](P &, B &) {}).empty());
    CHECK(contains(with([](P &p, B &) { p.row_blocks.values[0] = 4; }),
                   "ranges: row_blocks[0] = [4, 3) ends before it starts"));
    CHECK(contains(with([](P &p, B &) { p.row_blocks.values[3] = 11; }),
                   "ranges: row_blocks[1] = [5, 11) is not within [0, 10], the rows"));
    CHECK(contains(with([](P &p, B &) { p.row_blocks.values[0] = -1; }),
                   "ranges: row_blocks[0] = [-1, 3) is not within [0, 10]"));
    CHECK(contains(with([](P &p, B &) { p.row_blocks.values[4] = 2; }),
                   "ranges: row_blocks[0] = [0, 3) overlaps row_blocks[2] = [2, 4)"));
    CHECK(contains(with([](P &p, B &) { p.row_blocks.values[5] = 6; }),
                   "ranges: row_blocks[1] = [5, 10) overlaps row_blocks[2] = [3, 6)"));
    CHECK(with([](P &p, B &) { p.row_blocks.values[4] = p.row_blocks.values[5] = 1; }).empty());
    CHECK(contains(with([](P &p, B &) { p.column_blocks.values[3] = 10; }),
                   "ranges: column_blocks[1] = [2, 10) is not within [0, 9], the columns"));
    CHECK(contains(with([](P &p, B &) { p.column_blocks.values[6] = 9; }),
                   "ranges: column_blocks[3] = [9, 8) ends before it starts"));
    CHECK(contains(with([](P &p, B &) { p.column_blocks.values[0] = -2; }),
                   "ranges: column_blocks[0] = [-2, 4) is not within [0, 9]"));
    CHECK(contains(with([](P &p, B &) { p.ends.values[1] = 1; }),
                   "ranges: ends[1] = 1 is less than the end before it, 2"));
    CHECK(contains(with([](P &p, B &) { p.ends.values[2] = 5; }),
                   "ranges: ends[2] = 5 is not within [0, 4], the number of column_blocks"));
    CHECK(contains(with([](P &p, B &) { p.ends.values[0] = -1; }),
                   "ranges: ends[0] = -1 is not within [0, 4]"));
    CHECK(with([](P &p, B &) { p.ends.values[2] = 3; }).empty());
    for (T extreme : {low, high}) {
        CHECK(!with([&](P &p, B &) { p.row_blocks.values[0] = extreme; }).empty());
        CHECK(!with([&](P &p, B &) { p.row_blocks.values[1] = extreme; }).empty());
        CHECK(!with([&](P &p, B &) { p.column_blocks.values[0] = extreme; }).empty());
        CHECK(!with([&](P &p, B &) { p.ends.values[2] = extreme; }).empty());
    }
}

void test_arrays_of_another_kind_are_refused() {
    using P = Pattern<int64_t>;
    using B = std::array<Buffer, 3>;
    const auto with = [](auto change) { return refusal<int64_t>(change); };
    const int64_t six[] = {6}, three[] = {3, 3}, two[] = {2}, negative[] = {-1, 2};
    CHECK(contains(with([](P &, B &b) { b[0].dtype = Dtype::float64; }),
                   "ranges: row_blocks: expected int32 or int64, got float64"));
    CHECK(contains(with([](P &, B &b) { b[2].dtype = Dtype::float32; }),
                   "ranges: column_blocks: expected int32 or int64, got float32"));
    CHECK(contains(with([&](P &, B &b) { b[0].shape = six, b[0].rank = 1; }),
                   "ranges: row_blocks: expected shape (Mc, 2), got (6,)"));
    CHECK(contains(with([&](P &, B &b) { b[2].shape = three; }),
                   "ranges: column_blocks: expected shape (Mcc, 2), got (3, 3)"));
    CHECK(contains(with([&](P &, B &b) { b[1].shape = three, b[1].rank = 2; }),
                   "ranges: ends: expected shape (Mc,), got (3, 3)"));
    CHECK(contains(with([&](P &, B &b) { b[1].rank = 0; }), "got ()"));
    CHECK(contains(with([&](P &, B &b) { b[1].shape = two; }),
                   "ranges: ends: expected one end for each of the 3 row_blocks, got 2"));
    CHECK(contains(with([&](P &, B &b) { b[0].shape = negative; }), "got (-1, 2)"));
    CHECK(contains(with([](P &, B &b) { b[1].data = nullptr; }),
                   "ranges: ends: its address is null"));
}

void test_three_dtypes_may_differ() {
    Pattern<int64_t> wide;
    Pattern<int32_t> narrow;
    for (int64_t k = 0; k < 5; ++k) {
        wide.add({2 * k, 2 * k + 2}, {{k, k + 3}});
        narrow.add({2 * k, 2 * k + 2}, {{k, k + 3}});
    }
    const Buffer mixed[] = {wide.row_blocks.buffer(), narrow.ends.buffer(),
                            wide.column_blocks.buffer()};
    Ranges ranges;
    CHECK(ranges.bind(mixed, 10, 8).is_ok());
    CHECK(ranges.blocks().size() == 5 && ranges.pairs(ranges.blocks()[4])[1] == 7);
}

} // namespace

int main() {
    test_unsound_ranges_are_refused<int32_t>();
    test_unsound_ranges_are_refused<int64_t>();
    test_arrays_of_another_kind_are_refused();
    test_three_dtypes_may_differ();
    return failures != 0;
}
