// The methods of kwta.v1.EncoderService. Each is a Call of the pipeline that asks a handler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "kwta/v1/service.pb.h"
#include "server/services/dataset_handler.h"
#include "server/services/encode_handler.h"
#include "server/services/grpc/call_listener.h"
#include "server/services/grpc/encoder_calls.h"
#include "server/services/grpc/unary_call.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"

namespace kwta::server {

// What the methods depend on. REQUIRES: all of it outlives them.
struct EncoderMethodParts {
  EncodeHandler* encode = nullptr;
  JobHandler* jobs = nullptr;
  DatasetHandler* datasets = nullptr;
  ModelHandler* models = nullptr;
  std::function<absl::StatusOr<v1::StatusResponse>()> status;
  const CallSite* site = nullptr;
  std::string upload_directory;
  int64_t max_upload_bytes = 0;
  int max_stream_messages = 256;
  int64_t max_stream_bytes = 1 << 26;
};

class EncoderMethods {
 public:
  explicit EncoderMethods(EncoderMethodParts parts);
  EncoderMethods(const EncoderMethods&) = delete;
  EncoderMethods& operator=(const EncoderMethods&) = delete;

  // Call before the loop starts. REQUIRES: the loop finishes before the methods are destroyed.
  void AddTo(MethodTable* table);

 private:
  const EncoderMethodParts parts_;
  const EncodeStreamParts streams_;
  const UploadParts uploads_;
  JobWatchers watchers_;
};

}  // namespace kwta::server
