// What a reader of data sets gives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/files/mapped_file.h"
#include "core/tensors/tensor.h"

namespace kwta {

// The most bytes of elements that are read into memory: more than any image set we know of, less than what would
// exhaust a server by one request.
inline constexpr uint64_t kMaxDatasetBytes = uint64_t{16} << 30;

// All the rows of a source, before any of them are chosen.
struct StoredRows {
  std::string origin;  // For messages.
  std::shared_ptr<const void> storage;
  RowsView rows;
  Shape row_shape;
  std::vector<int32_t> labels;  // One for each row, or none.
  // The file that the rows lie in, if it is mapped; null: they are in memory.
  std::shared_ptr<const MappedFile> mapped = nullptr;
  // What was left out or converted, a sentence each, for whoever gave the data.
  std::vector<std::string> notes = {};
};

// The rows of a tensor whose first dimension counts them.
inline StoredRows RowsOfTensor(std::string origin, Tensor tensor, std::vector<int32_t> labels) {
  auto storage = std::make_shared<const Tensor>(std::move(tensor));
  const RowsView rows = storage->rows();
  Shape row_shape(storage->shape().begin() + 1, storage->shape().end());
  return {std::move(origin), std::move(storage), rows, std::move(row_shape), std::move(labels), nullptr, {}};
}

}  // namespace kwta
