// csrc/cpu/launch.cpp -- decides how fine to cut, and who helps
#include "launch.h"

#include <algorithm>
#include <cmath>
#include <exception>

namespace jaxkeops {

namespace {

constexpr double kSerialNs = 20e3; // waking a thread takes 5 to 50 us
constexpr double kClaimNs = 4e3;   // least work of a claim: 100 times the cost of claiming
constexpr double kChunkNs = 1e6;   // most work of a chunk, so that a late thread delays little
constexpr double kClaimsPerThread = 8;
constexpr double kColumnNs = 1; // per number of the scratch: it is read, combined and written

double row_ns(const Problem &problem) {
    return std::max(1.0, static_cast<double>(problem.N()) * problem.kernel().pair_cost);
}

double column_ns(const Problem &problem) {
    return std::max(1.0, static_cast<double>(problem.kernel().column_width) * kColumnNs);
}

bool writes_nothing(const Problem &problem) {
    const std::vector<Output> &outputs = problem.kernel().outputs;
    return problem.batch_elements() == 0 || problem.M() == 0 ||
           std::all_of(outputs.begin(), outputs.end(),
                       [](const Output &o) { return o.width == 0; });
}

int64_t divide_up(int64_t a, int64_t b) {
    return a / b + (a % b != 0);
}

/// Cuts `elements` times `rows` into chunks of about `ns` / 8 per thread, multiples of `block`.
Cut cut(int64_t elements, int64_t rows, int64_t block, double ns_per_row, int64_t threads) {
    const double all = static_cast<double>(elements) * static_cast<double>(rows) * ns_per_row;
    const double least = threads > 1 ? kClaimNs : kChunkNs;
    const double target =
        std::clamp(all / (kClaimsPerThread * static_cast<double>(threads)), least, kChunkNs);
    Cut cut;
    const double blocks = std::clamp(target / (ns_per_row * static_cast<double>(block)), 1.0, 1e9);
    const int64_t most = divide_up(rows, block);
    const int64_t taken = std::min(static_cast<int64_t>(blocks), most);
    cut.chunk = taken == most ? rows : taken * block;
    cut.chunks = divide_up(rows, cut.chunk);
    cut.items = elements * cut.chunks;
    const double chunk_ns = ns_per_row * static_cast<double>(cut.chunk);
    cut.group = static_cast<int64_t>(std::clamp(target / chunk_ns, 1.0, 1e9));
    return cut;
}

} // namespace

Cut cut_rows(const Problem &problem, int64_t threads) {
    return cut(problem.batch_elements(), problem.M(), problem.kernel().row_block, row_ns(problem),
               threads);
}

Cut cut_columns(const Problem &problem, int64_t threads) {
    if (!problem.kernel().columns)
        return {};
    return cut(problem.scratch_elements(), problem.N(), kColumnBlock, column_ns(problem), threads);
}

Status launch(const Problem &problem, Workers &workers) noexcept try {
    const Kernel &kernel = problem.kernel();
    if (writes_nothing(problem))
        return Status::ok();
    if (problem.N() == 0) {
        problem.fill_outputs();
        return Status::ok();
    }
    Scratch scratch;
    if (kernel.columns)
        if (Status status = scratch.allocate(problem); !status.is_ok())
            return status;
    Addresses addresses(kernel.inputs.size(), kernel.outputs.size());
    const double elements = static_cast<double>(problem.batch_elements());
    double ns = elements * static_cast<double>(problem.M()) * row_ns(problem);
    if (kernel.columns)
        ns += static_cast<double>(problem.scratch_elements()) * static_cast<double>(problem.N()) *
              column_ns(problem);
    const int64_t threads = ns < kSerialNs ? 1 : std::max<int64_t>(1, workers.threads());
    const Cut columns = cut_columns(problem, threads), rows = cut_rows(problem, threads);
    if (threads == 1) {
        Job(problem, scratch, columns, rows).run(addresses);
        return Status::ok();
    }
    const auto job = std::make_shared<Job>(problem, scratch, columns, rows);
    try {
        workers.schedule(job, std::min(threads, job->claims()) - 1);
    } catch (const std::exception &) {
        // Fewer helpers, or none: the caller does their share.
    }
    job->run(addresses);
    workers.withdraw(*job);
    return Status::ok();
} catch (const std::exception &error) {
    return Status::no_memory(error.what()); // short, so that it needs no memory itself
}

} // namespace jaxkeops
