#include "core/io/datasets/mirror_images.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace kwta {

absl::StatusOr<Dataset> WithMirrorImages(const Dataset& images) {
  const Shape& shape = images.row_shape();
  if (shape.size() != 2 && shape.size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat("rows of shape ", ShapeString(shape),
                                                   " have no mirror images; expected [height, width] or "
                                                   "[channels, height, width]"));
  }
  const int64_t rows = images.rows(), columns = shape.back();
  Shape all{2 * rows};
  all.insert(all.end(), shape.begin(), shape.end());
  auto storage = std::make_shared<Tensor>(images.dtype(), std::move(all));
  const RowsView view = storage->rows();
  std::vector<uint32_t> order(2 * rows);
  std::iota(order.begin(), order.end(), 0u);
  char* const stored = static_cast<char*>(storage->data());
  images.Gather(order.data(), rows, stored);
  const size_t size = DTypeSize(images.dtype());
  char* mirrored = stored + rows * view.row_bytes();
  for (const char* line = stored; line < stored + rows * view.row_bytes(); line += columns * size) {
    for (int64_t x = columns; x-- > 0; mirrored += size) std::memcpy(mirrored, line + x * size, size);
  }
  std::vector<int32_t> labels;
  for (int64_t i = 0; images.labelled() && i < 2 * rows; ++i) labels.push_back(images.label(i % rows));
  return Dataset(std::move(storage), view, shape, std::move(order), std::move(labels));
}

}  // namespace kwta
