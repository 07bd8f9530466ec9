#include "core/io/images/bmp.h"
#include "core/io/images/jpeg.h"
#include "core/io/images/png.h"
#include "core/io/images/webp.h"
#include "tests/fuzz/memory_file.h"

// A file of any kind of picture.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view file(reinterpret_cast<const char*>(data), size);
  constexpr int64_t kMaxPixels = 1 << 16;
  for (const auto& image : {kwta::DecodePng(file, "a.png", kMaxPixels), kwta::DecodeJpeg(file, "a.jpg", kMaxPixels),
                            kwta::DecodeWebp(file, "a.webp", kMaxPixels), kwta::DecodeBmp(file, "a.bmp", kMaxPixels)}) {
    if (image.ok()) kwta::Touch(image->pixels.data(), image->pixels.size());
  }
  return 0;
}
