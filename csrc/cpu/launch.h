// csrc/cpu/launch.h -- runs a compiled kernel on the threads of this machine
#pragma once

#include "../core/problem.h"
#include "../core/status.h"
#include "job.h"

#include <cstdint>
#include <memory>

namespace jaxkeops {

/// Threads that may help with a job: XLA's pool, or our own.
class Workers {
  public:
    virtual ~Workers() = default;

    /// How many threads can work on one job, the caller among them.
    virtual int64_t threads() = 0;

    /// Asks for `helpers` threads to call `job->help()`, soon, later or never. May throw.
    virtual void schedule(const std::shared_ptr<Job> &job, int64_t helpers) = 0;

    /// The job is over: requests that did not start may be dropped.
    virtual void withdraw(const Job &job) noexcept { static_cast<void>(job); }
};

/// Solves a problem whose inputs and outputs are bound; returns when the outputs are written.
///
/// Work is claimed chunk by chunk by the caller and by helpers of `workers`. Below about 20 us
/// of work (100k pairs at 0.2 ns) no helper is asked: waking one costs as much. Fails only
/// if there is no memory for the scratch, the workspace, the parts or the partial sums, or code for
/// few rows cannot be compiled, and then nothing was written. The first call with few rows compiles
/// that: no lock may be held that the compiler wants, Python's above all. Outputs have the same
/// bits for any number of threads. Never throws.
Status launch(const Problem &problem, Workers &workers) noexcept;

} // namespace jaxkeops
