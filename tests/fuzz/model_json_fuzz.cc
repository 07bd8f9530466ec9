#include <string>

#include "core/io/model_bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kwta::v1::ModelDescription description;
  kwta::ParseModelDescription(std::string(reinterpret_cast<const char*>(data), size), &description).IgnoreError();
  return 0;
}
