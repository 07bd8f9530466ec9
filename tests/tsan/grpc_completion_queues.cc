// Tells ThreadSanitizer about gRPC's completion queues.
//
// Debian's gRPC is not built with ThreadSanitizer, so that what one thread does before it gives an operation to gRPC,
// and another after it has taken the completed operation from the queue, looks like a race. The functions of libgrpc
// through which libgrpc++ gives and takes are found here first, by the dynamic linker, and announce the order.
// Completions that gRPC runs by itself (its callback API) do not come this way: see suppressions.txt.

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

namespace {

// The function that this file stands before.
template <typename Function>
Function* Next(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

grpc_event Taken(grpc_event event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* operations, size_t count, void* tag,
                                      void* reserved) {
  static const auto next = Next(&grpc_call_start_batch, "grpc_call_start_batch");
  __tsan_release(tag);
  return next(call, operations, count, tag, reserved);
}

grpc_call_error grpc_server_request_registered_call(grpc_server* server, void* method, grpc_call** call,
                                                    gpr_timespec* deadline, grpc_metadata_array* metadata,
                                                    grpc_byte_buffer** payload, grpc_completion_queue* call_queue,
                                                    grpc_completion_queue* queue, void* tag) {
  static const auto next = Next(&grpc_server_request_registered_call, "grpc_server_request_registered_call");
  __tsan_release(tag);
  return next(server, method, call, deadline, metadata, payload, call_queue, queue, tag);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static const auto next = Next(&grpc_completion_queue_next, "grpc_completion_queue_next");
  return Taken(next(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  static const auto next = Next(&grpc_completion_queue_pluck, "grpc_completion_queue_pluck");
  return Taken(next(queue, tag, deadline, reserved));
}

}  // extern "C"
