// tests/cpp/mock_xla.cpp -- errors, state, threads and call frames
#include "mock_xla.h"

struct XLA_FFI_Error {
    std::string message;
    XLA_FFI_Error_Code code;
};

namespace mock {

namespace {

Site &site_of(XLA_FFI_ExecutionContext *context) {
    return *reinterpret_cast<Site *>(context);
}

XLA_FFI_Error *create_error(XLA_FFI_Error_Create_Args *args) {
    return new XLA_FFI_Error{args->message, args->errc};
}
void get_message(XLA_FFI_Error_GetMessage_Args *args) {
    args->message = args->error->message.c_str();
}
void destroy_error(XLA_FFI_Error_Destroy_Args *args) {
    delete args->error;
}

XLA_FFI_Error *set_state(XLA_FFI_State_Set_Args *args) {
    site_of(args->ctx).state = args->state;
    site_of(args->ctx).state_type = args->type_id->type_id;
    return nullptr;
}
XLA_FFI_Error *get_state(XLA_FFI_State_Get_Args *args) {
    Site &site = site_of(args->ctx);
    if (!site.state || site.state_type != args->type_id->type_id)
        return new XLA_FFI_Error{"state is not set", XLA_FFI_Error_Code_INTERNAL};
    args->state = site.state;
    return nullptr;
}
XLA_FFI_Error *schedule(XLA_FFI_ThreadPool_Schedule_Args *args) {
    Site &site = site_of(args->ctx);
    if (!site.has_pool)
        return new XLA_FFI_Error{"no pool", XLA_FFI_Error_Code_UNAVAILABLE};
    site.running.emplace_back(args->task, args->data);
    return nullptr;
}
XLA_FFI_Error *count_threads(XLA_FFI_ThreadPool_NumThreads_Args *args) {
    *args->num_threads = site_of(args->ctx).threads;
    return nullptr;
}

XLA_FFI_Error *get_stream(XLA_FFI_Stream_Get_Args *args) {
    args->stream = site_of(args->ctx).stream;
    return nullptr;
}

const XLA_FFI_Api &api() {
    static const XLA_FFI_Api made = [] {
        XLA_FFI_Api api{};
        api.struct_size = XLA_FFI_Api_STRUCT_SIZE;
        api.api_version = {XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR,
                           XLA_FFI_API_MINOR};
        api.XLA_FFI_Error_Create = create_error;
        api.XLA_FFI_Error_GetMessage = get_message;
        api.XLA_FFI_Error_Destroy = destroy_error;
        api.XLA_FFI_State_Set = set_state;
        api.XLA_FFI_State_Get = get_state;
        api.XLA_FFI_Stream_Get = get_stream;
        api.XLA_FFI_ThreadPool_Schedule = schedule;
        api.XLA_FFI_ThreadPool_NumThreads = count_threads;
        return api;
    }();
    return made;
}

std::vector<XLA_FFI_Buffer> describe(std::vector<Buffer> &buffers) {
    std::vector<XLA_FFI_Buffer> all;
    for (Buffer &b : buffers)
        all.push_back({XLA_FFI_Buffer_STRUCT_SIZE, nullptr, b.dtype, b.data,
                       static_cast<int64_t>(b.shape.size()), b.shape.data()});
    return all;
}

template <class T>
std::vector<void *> point_at(std::vector<T> &values) {
    std::vector<void *> all;
    for (T &value : values)
        all.push_back(&value);
    return all;
}

XLA_FFI_Metadata metadata_of(void *handler) {
    XLA_FFI_Metadata metadata{};
    metadata.struct_size = XLA_FFI_Metadata_STRUCT_SIZE;
    metadata.api_version.struct_size = XLA_FFI_Api_Version_STRUCT_SIZE;
    XLA_FFI_Metadata_Extension extension{
        {XLA_FFI_Metadata_Extension_STRUCT_SIZE, XLA_FFI_Extension_Metadata, nullptr}, &metadata};
    XLA_FFI_CallFrame frame{};
    frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
    frame.api = &api();
    frame.extension_start = &extension.extension_base;
    XLA_FFI_Error *const error = reinterpret_cast<XLA_FFI_Handler *>(handler)(&frame);
    delete error;
    return metadata;
}

} // namespace

Site::~Site() {
    for (std::thread &thread : running)
        thread.join();
}

std::string call(void *handler, XLA_FFI_ExecutionStage stage, Site &site,
                 const Attributes &attributes, std::vector<Buffer> inputs,
                 std::vector<Buffer> outputs) {
    auto args = describe(inputs), rets = describe(outputs);
    auto arg_pointers = point_at(args), ret_pointers = point_at(rets);
    std::vector<XLA_FFI_ArgType> arg_types(args.size(), XLA_FFI_ArgType_BUFFER);
    std::vector<XLA_FFI_RetType> ret_types(rets.size(), XLA_FFI_RetType_BUFFER);
    std::vector<XLA_FFI_ByteSpan> names, texts(attributes.size());
    std::vector<XLA_FFI_Scalar> numbers(attributes.size());
    std::vector<XLA_FFI_AttrType> types;
    std::vector<void *> values;
    for (const auto &[name, value] : attributes) {
        const size_t k = names.size();
        names.push_back({name.data(), name.size()});
        if (const auto *text = std::get_if<std::string>(&value)) {
            texts[k] = {text->data(), text->size()};
            types.push_back(XLA_FFI_AttrType_STRING);
            values.push_back(&texts[k]);
        } else {
            auto *number = const_cast<int64_t *>(&std::get<int64_t>(value));
            numbers[k] = {XLA_FFI_DataType_S64, number};
            types.push_back(XLA_FFI_AttrType_SCALAR);
            values.push_back(&numbers[k]);
        }
    }
    std::vector<XLA_FFI_ByteSpan *> name_pointers;
    for (XLA_FFI_ByteSpan &name : names)
        name_pointers.push_back(&name);

    XLA_FFI_CallFrame frame{};
    frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
    frame.api = &api();
    frame.ctx = reinterpret_cast<XLA_FFI_ExecutionContext *>(&site);
    frame.stage = stage;
    frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr, static_cast<int64_t>(args.size()),
                  arg_types.data(), arg_pointers.data()};
    frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr, static_cast<int64_t>(rets.size()),
                  ret_types.data(), ret_pointers.data()};
    frame.attrs = {
        XLA_FFI_Attrs_STRUCT_SIZE, nullptr,      static_cast<int64_t>(names.size()), types.data(),
        name_pointers.data(),      values.data()};
    XLA_FFI_Error *const error = reinterpret_cast<XLA_FFI_Handler *>(handler)(&frame);
    if (!error)
        return "";
    const std::string text = std::to_string(error->code) + ": " + error->message;
    delete error;
    return text;
}

std::pair<int, int> api_version(void *handler) {
    const XLA_FFI_Metadata metadata = metadata_of(handler);
    return {metadata.api_version.major_version, metadata.api_version.minor_version};
}

bool is_recordable(void *handler) {
    return metadata_of(handler).traits & XLA_FFI_HANDLER_TRAITS_COMMAND_BUFFER_COMPATIBLE;
}

} // namespace mock
