// csrc/cpu/launch.cpp -- gets the memory of a job, and asks for help with it
#include "launch.h"

#include "../core/kernel_table.h"
#include "../core/ranges.h"
#include "cut.h"

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

Status allocate(SharedMemory &memory, const Problem &problem, Cuts &cuts) {
    if (problem.has_scratch())
        if (Status status = memory.scratch.allocate(problem); !status.is_ok()) {
            if (problem.needs_scratch())
                return status;
            cuts.columns = {};
        }
    if (Status status = memory.parts.allocate(problem, cuts.parts); !status.is_ok())
        return status;
    return memory.partials.allocate(problem, cuts.rows);
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
    if (Status status = complete(kernel, problem.M()); !status.is_ok())
        return status;
    const int64_t threads =
        work_ns(problem) < kSerialNs ? 1 : std::max<int64_t>(1, workers.threads());
    Cuts cuts = cut_all(problem, threads);
    SharedMemory shared;
    if (Status status = allocate(shared, problem, cuts); !status.is_ok())
        return status;
    ThreadMemory memory{ThreadNeeds(problem, cuts.parts.items > 0)};
    if (!memory.allocate())
        return Status::no_memory("no memory for " + std::to_string(kernel.workspace) +
                                 " bytes of workspace and " +
                                 std::to_string(partial_width(kernel)) + " partial sums");
    if (threads == 1) {
        Job(problem, shared, cuts).run(memory);
        return Status::ok();
    }
    const auto job = std::make_shared<Job>(problem, shared, cuts);
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
