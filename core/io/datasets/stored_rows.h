// The result of a data set reader.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/files/mapped_file.h"
#include "core/tensors/tensor.h"

namespace kwta {

// The most bytes of elements that a reader holds in memory: more than any image set we know of, less than what would
// let one request exhaust a server.
inline constexpr uint64_t kMaxDatasetBytes = uint64_t{16} << 30;

// All rows of a source, before any selection.
struct StoredRows {
  std::string origin;  // For messages.
  std::shared_ptr<const void> storage;
  RowsView rows;
  Shape row_shape;
  std::vector<int32_t> labels;  // One per row, or none.
  // The mapped file that holds the rows; null if they are in memory.
  std::shared_ptr<const MappedFile> mapped = nullptr;
  // What the reader left out or converted, one sentence each, for whoever supplied the data.
  std::vector<std::string> notes = {};
};

// Returns the rows of a tensor whose first dimension counts them.
inline StoredRows RowsOfTensor(std::string origin, Tensor tensor, std::vector<int32_t> labels) {
  auto storage = std::make_shared<const Tensor>(std::move(tensor));
  const RowsView rows = storage->rows();
  Shape row_shape(storage->shape().begin() + 1, storage->shape().end());
  return {std::move(origin), std::move(storage), rows, std::move(row_shape), std::move(labels), nullptr, {}};
}

}  // namespace kwta
