// tests/cpp/mock_xla.h -- as much of XLA as an FFI handler sees, so that none is needed to test one
#pragma once

#include "xla/ffi/api/c_api.h"

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace mock {

struct Buffer {
    XLA_FFI_DataType dtype;
    void *data;
    std::vector<int64_t> shape;
};

/// One call site: its state, and threads that run every task at once.
struct Site {
    void *state = nullptr;
    int64_t state_type = 0;
    int64_t threads = 4;
    bool has_pool = true;
    void *stream = nullptr;
    std::vector<std::thread> running;
    ~Site();
};

using Attribute = std::variant<std::string, int64_t>;
using Attributes = std::vector<std::pair<std::string, Attribute>>; // sorted by name

/// "" or "CODE: message" of what the handler returned.
std::string call(void *handler, XLA_FFI_ExecutionStage stage, Site &site,
                 const Attributes &attributes, std::vector<Buffer> inputs = {},
                 std::vector<Buffer> outputs = {});

/// (major, minor) of the FFI that the handler says it was built for.
std::pair<int, int> api_version(void *handler);

/// Whether the handler says that it may be recorded in a command buffer.
bool is_recordable(void *handler);

} // namespace mock
