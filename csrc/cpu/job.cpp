// csrc/cpu/job.cpp -- claiming chunks, waiting for the claimed ones, and the three phases
#include "job.h"

#include "../core/ranges.h"
#include "pause.h"

#include <algorithm>
#include <limits>
#include <new>

namespace jaxkeops {

namespace {

constexpr int kSpins = 1000; // some 40 us: a chunk in flight is usually done by then
constexpr int kYields = 32;

/// Does items of a phase until all are handed out.
template <class Fill>
void share(Phase &phase, Fill fill) {
    int64_t begin = 0, end = 0;
    while (phase.claim(begin, end)) {
        for (int64_t item = begin; item < end; ++item)
            fill(item);
        phase.finish(end - begin);
    }
}

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

Job::Job(const Problem &problem, const SharedMemory &memory, const Cuts &cuts)
    : problem_(&problem), memory_(&memory), cuts_(&cuts),
      needs_(problem, cuts.parts.items > 0),
      columns_(cuts.columns.items, cuts.columns.group), parts_(cuts.parts.items, cuts.parts.group),
      rows_(cuts.rows.items, cuts.rows.group) {}

void Job::run(ThreadMemory &memory) {
    work(memory);
    rows_.wait();
    memory_->partials.write_totals(*problem_);
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
    share(columns_, [&](int64_t item) { fill_columns(item, memory.addresses); });
    columns_.wait();
    share(parts_, [&](int64_t item) { fill_part(item, memory.addresses); });
    parts_.wait();
    share(rows_, [&](int64_t item) { fill_rows(item, memory); });
}

void Job::fill_columns(int64_t item, Addresses &addresses) const {
    const Cut &cut = cuts_->columns;
    const int64_t scratch = item / cut.chunks;
    const int64_t begin = item % cut.chunks * cut.chunk;
    problem_->locate_columns(scratch, addresses);
    const Call call{problem_->M(),
                    problem_->N(),
                    addresses.inputs.data(),
                    addresses.outputs.data(),
                    memory_->scratch.at(scratch),
                    nullptr,
                    0,
                    nullptr,
                    nullptr,
                    0};
    problem_->kernel().columns(&call, begin, begin + std::min(cut.chunk, problem_->N() - begin));
}

void Job::fill_part(int64_t item, Addresses &addresses) const {
    // All blocks go over some columns before any goes on: these stay in a cache meanwhile.
    const int64_t part = item / cuts_->rows.items, block = item % cuts_->rows.items;
    const int64_t scratch = problem_->locate(block / cuts_->rows.chunks, addresses);
    const int64_t first = part * cuts_->parts.chunk;
    const int64_t columns[] = {first, first + std::min(cuts_->parts.chunk, problem_->N() - first)};
    const Call call{problem_->M(),
                    problem_->N(),
                    addresses.inputs.data(),
                    addresses.outputs.data(),
                    memory_->scratch.at(scratch),
                    columns,
                    1,
                    memory_->parts.at(block, part),
                    nullptr,
                    kKeep};
    const int64_t begin = block % cuts_->rows.chunks * cuts_->rows.chunk;
    problem_->rows()(&call, begin,
                            begin + std::min(cuts_->rows.chunk, problem_->M() - begin));
}

void Job::fill_rows(int64_t item, ThreadMemory &memory) const {
    Addresses &addresses = memory.addresses;
    const Cut &cut = cuts_->rows;
    const int64_t element = item / cut.chunks;
    const int64_t scratch = problem_->locate(element, addresses);
    const int64_t all[] = {0, problem_->N()};
    double *const kept = memory_->partials.at(item);
    double *const partials = kept ? kept : memory.item_partials();
    const bool merges = cuts_->parts.items > 0;
    Call call{problem_->M(),
              problem_->N(),
              addresses.inputs.data(),
              addresses.outputs.data(),
              memory_->scratch.at(scratch),
              all,
              1,
              merges ? memory_->parts.at(item, 0) : memory.workspace(),
              partials,
              merges ? cuts_->parts.chunks : 0};
    const int64_t begin = item % cut.chunks * cut.chunk;
    const int64_t end = begin + std::min(cut.chunk, problem_->M() - begin);
    if (problem_->ranges())
        fill_run(item % cut.chunks, call, memory);
    else if (needs_.blocks > 1 && end - begin > problem_->row_block())
        fill_panels(call, begin, end, memory);
    else
        problem_->rows()(&call, begin, end);
    if (partials && !kept)
        problem_->write_totals(element, partials);
}

void Job::fill_panels(Call &call, int64_t begin, int64_t end, const ThreadMemory &memory) const {
    const RowsFn rows = problem_->rows();
    const int64_t block = problem_->row_block(), N = problem_->N();
    double *const partials = call.partials;
    ColumnSums sums = memory.sums();
    sums.clear();
    for (int64_t first = begin; first < end; first += needs_.blocks * block) {
        const int64_t last = std::min(end, first + needs_.blocks * block);
        const auto each_block = [&](int64_t parts) {
            call.parts = parts;
            call.partials = parts > 0 ? memory.call_partials() : nullptr;
            for (int64_t row = first; row < last; row += block) {
                call.workspace = memory.workspace((row - first) / block);
                rows(&call, row, std::min(last, row + block));
                if (call.partials)
                    sums.add(call.partials);
            }
        };
        for (int64_t column = 0; column < N; column += problem_->kernel().panel) {
            const int64_t panel[] = {column, std::min(N, column + problem_->kernel().panel)};
            call.ranges = panel;
            each_block(column == 0 ? kKeep : kResume);
        }
        const int64_t all[] = {0, N};
        call.ranges = all;
        each_block(1);
    }
    if (partials)
        sums.write(partials);
}

void Job::fill_run(int64_t item, Call &call, const ThreadMemory &memory) const {
    const Ranges &ranges = *problem_->ranges();
    const auto starts_after = [](int64_t wanted, const Run &run) {
        return wanted < run.first_item;
    };
    const Run &run =
        *(std::upper_bound(cuts_->runs.begin(), cuts_->runs.end(), item, starts_after) - 1);
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
        problem_->rows()(&call, begin, end);
        sums.add(call.partials);
    }
    sums.write(partials);
}

} // namespace jaxkeops
