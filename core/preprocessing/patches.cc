#include "core/preprocessing/patches.h"

#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/files/scratch_file.h"

namespace kwta {
namespace {

constexpr uint64_t kPatchStream = 0x5041544348;  // "PATCH"

}  // namespace

absl::StatusOr<Dataset> DrawPatches(const Dataset& data, const Shape& image, const v1::RandomPatchesStep& spec,
                                    const std::string& directory) {
  const int64_t size = spec.size(), patches = spec.patches();
  const Shape shape = {image[0], size, size};
  const size_t element = DTypeSize(data.dtype()), line = size * element;
  KWTA_ASSIGN_OR_RETURN(ScratchFile scratch, ScratchFile::Create(directory, patches * ElementCount(shape) * element));
  auto file = std::make_shared<ScratchFile>(std::move(scratch));
  char* out = file->data();
  std::vector<int32_t> labels;
  Rng rng(spec.seed(), kPatchStream);
  for (int64_t p = 0; p < patches; ++p) {
    const int64_t row = static_cast<int64_t>(rng.UniformBelow(data.rows()));
    const int64_t top = static_cast<int64_t>(rng.UniformBelow(image[1] - size + 1));
    const int64_t left = static_cast<int64_t>(rng.UniformBelow(image[2] - size + 1));
    const char* pixels = static_cast<const char*>(data.row(row).data);
    for (int64_t plane = 0; plane < image[0]; ++plane) {
      for (int64_t y = top; y < top + size; ++y, out += line) {
        std::memcpy(out, pixels + ((plane * image[1] + y) * image[2] + left) * element, line);
      }
    }
    if (data.labelled()) labels.push_back(data.label(row));
  }
  std::vector<uint32_t> order(patches);
  std::iota(order.begin(), order.end(), 0u);
  const RowsView rows{data.dtype(), file->data(), patches, ElementCount(shape)};
  return Dataset(std::move(file), rows, shape, std::move(order), std::move(labels));
}

}  // namespace kwta
