// csrc/cuda/launch.cpp -- fills in the parameter, and launches step by step
#include "launch.h"

#include "../core/small_array.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>

namespace jaxkeops::cuda {

namespace {

Address address_of(const void *data) {
    return static_cast<Address>(reinterpret_cast<uintptr_t>(data));
}

/// The parameter of a kernel: a head, and arrays of the kernel's own sizes.
class Parameter {
  public:
    Parameter(size_t inputs, size_t outputs)
        : inputs_(inputs), outputs_(outputs), words_(call_bytes(inputs, outputs) / kWord) {}

    void write_head(const CallHead &head) { std::memcpy(words_.data(), &head, sizeof head); }
    uint64_t &output(size_t k) { return words_[kHead + k]; }
    uint64_t &input(size_t k) { return words_[kHead + outputs_ + k]; }
    uint64_t &stride(size_t k, size_t axis) {
        return words_[kHead + outputs_ + inputs_ + kBatchAxes * k + axis];
    }
    void *data() { return words_.data(); }

  private:
    static constexpr size_t kWord = sizeof(uint64_t);
    static constexpr size_t kHead = sizeof(CallHead) / kWord;

    const size_t inputs_, outputs_;
    SmallArray<uint64_t, 96> words_;
};

/// One launch of all steps, for the batch elements of the inner axes.
class Launcher {
  public:
    Launcher(const Driver &driver, const Problem &problem, const DeviceRanges *ranges,
             const Batch &batch, const Plan &plan, const Loaded &loaded, Workspace workspace,
             Stream stream)
        : driver_(driver), problem_(problem), batch_(batch), plan_(plan), loaded_(loaded),
          stream_(stream),
          parameter_(problem.kernel().inputs.size(), problem.kernel().outputs.size()) {
        fill_head(ranges, workspace);
        const size_t inner = batch.inner_rank(), first = batch.rank() - inner;
        for (size_t k = 0; k < problem.kernel().inputs.size(); ++k)
            for (size_t axis = 0; axis < kBatchAxes; ++axis)
                parameter_.stride(k, axis) =
                    axis < inner ? static_cast<uint64_t>(batch.stride(k, first + axis)) : 0;
    }

    /// Launch number `number` of `batch.launches()`.
    Status run(int64_t number) {
        point_at(number);
        for (size_t s = 0; s < plan_.launch->steps.size(); ++s) {
            const Step &step = plan_.launch->steps[s];
            if (is_due(step.when))
                if (Status status = run(step, loaded_.functions[s]); !status.is_ok())
                    return status;
        }
        return Status::ok();
    }

  private:
    void fill_head(const DeviceRanges *ranges, Workspace workspace) {
        const Parts &parts = plan_.parts;
        const auto part = [&](int64_t offset, int64_t end) {
            return offset < end ? workspace.address + static_cast<Address>(offset) : 0;
        };
        head_ = {};
        head_.M = problem_.M();
        head_.N = problem_.N();
        head_.tiles = plan_.tiles;
        head_.splits = plan_.splits;
        head_.split_columns = plan_.split_columns;
        head_.scratch = part(parts.scratch, parts.states);
        head_.states = part(parts.states, parts.totals);
        head_.totals = part(parts.totals, parts.range_tiles);
        head_.range_tiles = part(parts.range_tiles, parts.range_pairs);
        head_.range_pairs = part(parts.range_pairs, plan_.workspace);
        std::copy(std::begin(plan_.scratch_strides), std::end(plan_.scratch_strides),
                  head_.scratch_strides);
        if (!ranges)
            return;
        head_.range_blocks = ranges->blocks();
        head_.range_columns = ranges->columns();
        head_.range_bytes = size_of(ranges->ends.dtype);
        head_.row_blocks = address_of(ranges->row_blocks.data);
        head_.ends = address_of(ranges->ends.data);
        head_.column_blocks = address_of(ranges->column_blocks.data);
    }

    /// Moves inputs and outputs to where the batch elements of a launch start.
    void point_at(int64_t number) {
        const Kernel &kernel = problem_.kernel();
        for (size_t k = 0; k < kernel.outputs.size(); ++k)
            parameter_.output(k) =
                address_of(problem_.output(k)) +
                static_cast<Address>(number * plan_.elements * problem_.output_bytes(k));
        for (size_t k = 0; k < kernel.inputs.size(); ++k)
            parameter_.input(k) = address_of(problem_.input(k));
        for (size_t axis = batch_.rank() - batch_.inner_rank(); axis-- > 0;) {
            const int64_t index = number % batch_.extent(axis);
            number /= batch_.extent(axis);
            for (size_t k = 0; k < kernel.inputs.size(); ++k)
                parameter_.input(k) += static_cast<Address>(index * batch_.stride(k, axis));
        }
    }

    bool is_due(When when) const {
        switch (when) {
        case When::always:
            return !plan_.is_empty;
        case When::split:
            return !plan_.is_empty && plan_.splits > 1;
        case When::empty:
            break;
        }
        return plan_.is_empty;
    }

    /// The batch axes as a step sees them: over columns, the axes that share a scratch are gone.
    void count_elements(const Step &step) {
        const size_t inner = batch_.inner_rank(), first = batch_.rank() - inner;
        const bool over_columns = step.grid == Grid::columns;
        head_.elements = over_columns ? plan_.scratches : plan_.elements;
        for (size_t axis = 0; axis < kBatchAxes; ++axis) {
            const bool is_seen =
                axis < inner && (!over_columns || plan_.scratch_strides[axis] != 0);
            head_.extents[axis] = is_seen ? batch_.extent(first + axis) : 1;
        }
    }

    Status run(const Step &step, Function function) {
        count_elements(step);
        parameter_.write_head(head_);
        void *parameters[] = {parameter_.data()};
        const auto x = static_cast<unsigned>(blocks_of(step, plan_, problem_.N()));
        const auto y = static_cast<unsigned>(step.grid == Grid::tiles ? plan_.splits : 1);
        const Result result = driver_.launch_kernel(
            function, x, y, 1, static_cast<unsigned>(step.threads), 1, 1,
            static_cast<unsigned>(step.shared_bytes), stream_, parameters, nullptr);
        if (result == kSuccess)
            return Status::ok();
        return Status::device("launching " + step.function + " on " + loaded_.device->name + ": " +
                              driver_.status(result, "cuLaunchKernel").message());
    }

    const Driver &driver_;
    const Problem &problem_;
    const Batch &batch_;
    const Plan &plan_;
    const Loaded &loaded_;
    const Stream stream_;
    CallHead head_{};
    Parameter parameter_;
};

} // namespace

Status workspace_bytes(const Problem &problem, const DeviceRanges *ranges, int64_t multiprocessors,
                       int64_t &bytes) {
    bytes = 0;
    if (problem.batch_elements() == 0)
        return Status::ok();
    Plan plan{};
    if (Status status = make_plan(problem, Batch(problem), ranges, multiprocessors, plan);
        !status.is_ok())
        return status;
    bytes = plan.workspace;
    return Status::ok();
}

Status launch(const Problem &problem, const DeviceRanges *ranges, Workspace workspace,
              int64_t multiprocessors, Context context, Stream stream) noexcept try {
    if (problem.writes_nothing())
        return Status::ok();
    const Batch batch(problem);
    Plan plan{};
    if (Status status = make_plan(problem, batch, ranges, multiprocessors, plan); !status.is_ok())
        return status;
    if (workspace.bytes < plan.workspace)
        return Status::misfit("the workspace has " + std::to_string(workspace.bytes) +
                              " bytes, and must have " + std::to_string(plan.workspace));
    const Driver *driver = nullptr;
    if (Status status = open_driver(driver); !status.is_ok())
        return status;
    const Loaded *loaded = nullptr;
    if (Status status = problem.kernel().device->load(*driver, context, loaded); !status.is_ok())
        return status;
    const Current current(*driver, context);
    if (!current.status().is_ok())
        return current.status();
    Launcher launcher(*driver, problem, ranges, batch, plan, *loaded, workspace, stream);
    for (int64_t number = 0; number < batch.launches(); ++number)
        if (Status status = launcher.run(number); !status.is_ok())
            return status;
    return Status::ok();
} catch (const std::exception &error) {
    return Status::no_memory(error.what()); // short, so that it needs no memory itself
}

Status context_of(Stream stream, Context &context) {
    const Driver *driver = nullptr;
    if (Status status = open_driver(driver); !status.is_ok())
        return status;
    return driver->status(driver->stream_context(stream, &context), "cuStreamGetCtx");
}

Status prepare(const Kernel &kernel, Context context) {
    const Driver *driver = nullptr;
    if (Status status = open_driver(driver); !status.is_ok())
        return status;
    const Loaded *loaded = nullptr;
    return kernel.device->load(*driver, context, loaded);
}

} // namespace jaxkeops::cuda
