#include <google/protobuf/stubs/logging.h>

#include "kwta/v1/service.pb.h"
#include "server/services/convert.h"
#include "tests/fuzz/memory_file.h"

// A complaint about every string that is not UTF-8 is most of the time spent.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

// The first byte is the width of the model's rows, the rest a message as it comes over the wire.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  kwta::v1::EncodeRequest request;
  if (!request.ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
  kwta::server::ConvertOptions(request.options()).status().IgnoreError();
  const auto rows = kwta::server::ConvertInput(request.input(), request.model(), data[0] + 1);
  if (rows.ok()) kwta::Touch(rows->view.data, static_cast<size_t>(rows->view.rows) * rows->view.row_bytes());
  return 0;
}
