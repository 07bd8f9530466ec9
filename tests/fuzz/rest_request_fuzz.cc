#include <cstdint>
#include <string>

#include "server/oip/inference_request.h"
#include "server/services/convert.h"
#include "server/web/rest/rest_request.h"
#include "tests/fuzz/memory_file.h"

// The first byte is the width of the model's rows, the second how much of the rest is JSON (255: all), in units of its
// length / 254. What follows is the body of a request.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string body(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::string header_length = data[1] == 255 ? "" : std::to_string(body.size() * data[1] / 254);
  auto parsed = kwta::server::ParseRestInferRequest(std::move(body), header_length);
  if (!parsed.ok()) return 0;
  const auto converted = kwta::server::ConvertRequest(&parsed->request);
  if (!converted.ok()) return 0;
  const auto rows = kwta::server::ConvertInput(converted->encode.input(), converted->encode.model(), data[0] + 1);
  if (rows.ok()) kwta::Touch(rows->view.data, static_cast<size_t>(rows->view.rows) * rows->view.row_bytes());
  return 0;
}
