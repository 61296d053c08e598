// csrc/cuda/driver.h -- the entry points of CUDA's driver, found at run time
#pragma once

#include "../core/status.h"
#include "api.h"

#include <cstddef>
#include <string>

namespace jaxkeops::cuda {

/// Null only where the comment says so.
struct Driver {
    Result (*init)(unsigned flags);
    Result (*driver_version)(int *version); // 13000 for CUDA 13.0
    Result (*device_count)(int *count);
    Result (*device_get)(Ordinal *device, int ordinal);
    Result (*device_name)(char *name, int bytes, Ordinal device);
    Result (*device_attribute)(int *value, int attribute, Ordinal device);
    Result (*retain_primary_context)(Context *context, Ordinal device);
    Result (*current_context)(Context *context);
    Result (*push_context)(Context context);
    Result (*pop_context)(Context *context);
    Result (*context_device)(Ordinal *device);
    Result (*stream_context)(Stream stream, Context *context);
    Result (*stream_synchronize)(Stream stream);
    Result (*exchange_capture_mode)(int *mode);
    Result (*load_module)(Module *module, const void *image, unsigned count, int *options,
                          void **values);
    Result (*unload_module)(Module module);
    Result (*module_function)(Function *function, Module module, const char *name);
    Result (*function_attribute)(int *value, int attribute, Function function);
    Result (*set_function_attribute)(Function function, int attribute, int value);
    Result (*launch_kernel)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z,
                            unsigned shared_bytes, Stream stream, void **parameters, void **extra);
    Result (*allocate)(Address *address, size_t bytes);
    Result (*release)(Address address);
    Result (*allocate_async)(Address *address, size_t bytes, Stream stream); // null before 11.2
    Result (*release_async)(Address address, Stream stream);                 // null before 11.2
    Result (*copy_to_device)(Address to, const void *from, size_t bytes, Stream stream);
    Result (*copy_to_host)(void *to, Address from, size_t bytes, Stream stream);
    Result (*error_name)(Result result, const char **text);
    Result (*error_text)(Result result, const char **text);

    /// Success, or "cuModuleLoadDataEx: CUDA_ERROR_INVALID_IMAGE (200), device kernel image is
    /// invalid". `no_memory` if that is what it is.
    Status status(Result result, const char *entry_point) const;
};

/// Opens the driver and starts it, at the first call; gives the same answer ever after.
///
/// `no_device`, and a sentence that says what was looked for, if there is no driver or no GPU.
Status open_driver(const Driver *&driver);

} // namespace jaxkeops::cuda
