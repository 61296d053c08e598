// csrc/cpu/launch.cpp -- gets the memory of a job, and asks for help with it
#include "launch.h"

#include "ranges.h"

#include <algorithm>
#include <exception>
#include <string>

namespace jaxkeops {

namespace {

constexpr double kSerialNs = 20e3; // waking a thread takes 5 to 50 us

bool reduces_nothing(const Problem &problem) {
    return problem.M() == 0 || problem.N() == 0 ||
           (problem.ranges() && problem.ranges()->is_empty());
}

} // namespace

Status launch(const Problem &problem, Workers &workers) noexcept try {
    const Kernel &kernel = problem.kernel();
    if (problem.writes_nothing())
        return Status::ok();
    if (reduces_nothing(problem)) {
        problem.fill_outputs();
        return Status::ok();
    }
    Scratch scratch;
    if (kernel.columns)
        if (Status status = scratch.allocate(problem); !status.is_ok())
            return status;
    ThreadMemory memory{ThreadNeeds(kernel)};
    if (!memory.allocate())
        return Status::no_memory("no memory for " + std::to_string(kernel.workspace) +
                                 " bytes of workspace and " +
                                 std::to_string(partial_width(kernel)) + " partial sums");
    const int64_t threads =
        work_ns(problem) < kSerialNs ? 1 : std::max<int64_t>(1, workers.threads());
    RangeCut ranged;
    if (problem.ranges())
        ranged = cut_ranges(problem, threads);
    const std::vector<Run> *const runs = problem.ranges() ? &ranged.runs : nullptr;
    const Cut rows = runs ? ranged.cut : cut_rows(problem, threads);
    const Cut columns = cut_columns(problem, threads);
    Partials partials;
    if (Status status = partials.allocate(problem, rows); !status.is_ok())
        return status;
    if (threads == 1) {
        Job(problem, scratch, partials, columns, rows, runs).run(memory);
        return Status::ok();
    }
    const auto job = std::make_shared<Job>(problem, scratch, partials, columns, rows, runs);
    try {
        workers.schedule(job, std::min(threads, job->claims()) - 1);
    } catch (const std::exception &) {
        // Fewer helpers, or none: the caller does their share.
    }
    job->run(memory);
    workers.withdraw(*job);
    return Status::ok();
} catch (const std::exception &error) {
    return Status::no_memory(error.what()); // short, so that it needs no memory itself
}

} // namespace jaxkeops
