// tests/cpp/test_panels.cpp -- many rows go over panels of the columns, block after block
#include "../../csrc/cpu/launch.h"

#include "parted.h"
#include "workers.h"

using namespace jaxkeops;
using namespace samples;

namespace {

Kernel with_panels(Kernel kernel) {
    kernel.panel = 1024;
    kernel.pair_cost = 0.1; // so that a thread takes several blocks
    return kernel;
}

/// More blocks of rows than a thread takes at once, and columns that do not fill their last panel.
void test_many_rows_go_over_panels() {
    for (int64_t N : {1024, 1025, 3000})
        for (int64_t threads : {1, 3}) {
            EagerWorkers workers(threads);
            for (const Kernel &kernel : {plain_parts(), column_parts()}) {
                Arrays arrays(333, N);
                const Kernel panels = with_panels(kernel);
                Problem problem(panels);
                CHECK(bind(problem, arrays).is_ok());
                parts_kept = parts_merged = 0;
                CHECK(launch(problem, workers).is_ok());
                CHECK(arrays.agree(1e-3));
                CHECK((parts_kept > 0) == (N > 1024) && parts_merged == parts_kept);
            }
            TotalArrays arrays(333, N);
            const Kernel panels = with_panels(total_parts());
            Problem problem(panels);
            CHECK(bind(problem, arrays).is_ok());
            CHECK(launch(problem, workers).is_ok());
            CHECK(arrays.agree());
        }
}

} // namespace

int main() {
    test_many_rows_go_over_panels();
    return failures != 0;
}
