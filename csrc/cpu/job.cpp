// csrc/cpu/job.cpp -- claiming chunks, waiting for the claimed ones, and the two phases
#include "job.h"

#include "pause.h"
#include "ranges.h"

#include <algorithm>
#include <limits>
#include <new>

namespace jaxkeops {

namespace {

constexpr int kSpins = 1000; // some 40 us: a chunk in flight is usually done by then
constexpr int kYields = 32;

} // namespace

bool Phase::claim(int64_t &begin, int64_t &end) {
    if (is_claimed()) // so that `next_` cannot run away, however many helpers come
        return false;
    begin = next_.fetch_add(group_, std::memory_order_relaxed);
    end = std::min(items_, begin + group_);
    return begin < items_;
}

void Phase::finish(int64_t count) {
    if (left_.fetch_sub(count, std::memory_order_acq_rel) == count) {
        // The lock is for a waiter between its check and its sleep.
        std::lock_guard lock(mutex_);
        condition_.notify_all();
    }
}

void Phase::wait() {
    const auto is_done = [this] { return left_.load(std::memory_order_acquire) == 0; };
    for (int k = 0; k < kSpins + kYields; ++k) {
        if (is_done())
            return;
        k < kSpins ? pause_core() : yield_core();
    }
    std::unique_lock lock(mutex_);
    condition_.wait(lock, is_done);
}

Status Scratch::allocate(const Problem &problem) {
    const Kernel &kernel = problem.kernel();
    // Far from the limit double is exact enough, and the integers below cannot overflow.
    const double estimate = static_cast<double>(problem.N()) * kernel.column_width *
                            size_of(computing(kernel.dtype)) * problem.scratch_elements();
    if (estimate > 0x1p62)
        return Status::no_memory("the scratch of " + std::to_string(problem.N()) + " columns of " +
                                 std::to_string(kernel.column_width) +
                                 " numbers exceeds the address space");
    const int64_t bytes = problem.N() * kernel.column_width * size_of(computing(kernel.dtype));
    stride_ = AlignedMemory::round_up(bytes);
    const int64_t all = stride_ * problem.scratch_elements();
    if (!memory_.allocate(all))
        return Status::no_memory("no memory for " + std::to_string(all) + " bytes of scratch (" +
                                 std::to_string(problem.N()) + " columns of " +
                                 std::to_string(kernel.column_width) + " numbers, " +
                                 std::to_string(problem.scratch_elements()) + " batch elements)");
    return Status::ok();
}

Job::Job(const Problem &problem, const Scratch &scratch, const Partials &partials,
         const Cut &columns, const Cut &rows, const std::vector<Run> *runs)
    : problem_(&problem), scratch_(&scratch), partials_(&partials), runs_(runs),
      column_cut_(columns), row_cut_(rows), needs_(problem.kernel()),
      columns_(columns.items, columns.group), rows_(rows.items, rows.group) {}

void Job::run(ThreadMemory &memory) {
    work(memory);
    rows_.wait();
    partials_->write_totals(*problem_);
}

void Job::help() noexcept {
    if (rows_.is_claimed())
        return;
    try {
        ThreadMemory memory(needs_);
        if (memory.allocate())
            work(memory);
    } catch (const std::bad_alloc &) {
        // Nothing was claimed yet: the caller does this helper's share.
    }
}

void Job::work(ThreadMemory &memory) {
    int64_t begin = 0, end = 0;
    while (columns_.claim(begin, end)) {
        for (int64_t item = begin; item < end; ++item)
            fill_columns(item, memory.addresses);
        columns_.finish(end - begin);
    }
    if (columns_.items())
        columns_.wait();
    while (rows_.claim(begin, end)) {
        for (int64_t item = begin; item < end; ++item)
            fill_rows(item, memory);
        rows_.finish(end - begin);
    }
}

void Job::fill_columns(int64_t item, Addresses &addresses) const {
    const int64_t scratch = item / column_cut_.chunks;
    const int64_t begin = item % column_cut_.chunks * column_cut_.chunk;
    problem_->locate_columns(scratch, addresses);
    const Call call{problem_->M(),
                    problem_->N(),
                    addresses.inputs.data(),
                    addresses.outputs.data(),
                    scratch_->at(scratch),
                    nullptr,
                    0,
                    nullptr,
                    nullptr};
    problem_->kernel().columns(&call, begin,
                               begin + std::min(column_cut_.chunk, problem_->N() - begin));
}

void Job::fill_rows(int64_t item, ThreadMemory &memory) const {
    Addresses &addresses = memory.addresses;
    const int64_t element = item / row_cut_.chunks;
    const int64_t scratch = problem_->locate(element, addresses);
    const int64_t all[] = {0, problem_->N()};
    double *const kept = partials_->at(item);
    double *const partials = kept ? kept : memory.item_partials();
    Call call{problem_->M(),
              problem_->N(),
              addresses.inputs.data(),
              addresses.outputs.data(),
              scratch_->at(scratch),
              all,
              1,
              memory.workspace(),
              partials};
    if (runs_) {
        fill_run(item % row_cut_.chunks, call, memory);
    } else {
        const int64_t begin = item % row_cut_.chunks * row_cut_.chunk;
        problem_->kernel().rows(&call, begin,
                                begin + std::min(row_cut_.chunk, problem_->M() - begin));
    }
    if (partials && !kept)
        problem_->write_totals(element, partials);
}

void Job::fill_run(int64_t item, Call &call, const ThreadMemory &memory) const {
    const Ranges &ranges = *problem_->ranges();
    const auto starts_after = [](int64_t wanted, const Run &run) {
        return wanted < run.first_item;
    };
    const Run &run = *(std::upper_bound(runs_->begin(), runs_->end(), item, starts_after) - 1);
    double *const partials = call.partials;
    ColumnSums sums = memory.sums();
    sums.clear();
    call.partials = memory.call_partials();
    for (int64_t b = run.block; b < run.block + run.blocks; ++b) {
        const Ranges::Block &block = ranges.blocks()[static_cast<size_t>(b)];
        int64_t begin = block.begin, end = block.end;
        if (run.blocks == 1) {
            begin += (item - run.first_item) * run.chunk;
            end = begin + std::min(run.chunk, end - begin);
        }
        if (block.count == 0) {
            problem_->fill_rows(memory.addresses, begin, end);
            continue;
        }
        call.ranges = ranges.pairs(block);
        call.range_count = block.count;
        problem_->kernel().rows(&call, begin, end);
        sums.add(call.partials);
    }
    sums.write(partials);
}

} // namespace jaxkeops
