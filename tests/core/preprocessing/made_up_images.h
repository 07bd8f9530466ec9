// Images for the tests of preprocessing, and specs in protobuf's text form.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "google/protobuf/text_format.h"

namespace kwta {

inline v1::PreprocessingSpec ResolvedSpec(const std::string& text) {
  v1::PreprocessingSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  const absl::Status status = ResolvePreprocessing(&spec);
  EXPECT_TRUE(status.ok()) << status;
  return spec;
}

// All rows of `tensor` in order; label i % 7.
inline Dataset AsDataset(Tensor tensor) {
  auto storage = std::make_shared<Tensor>(std::move(tensor));
  std::vector<uint32_t> order(storage->shape()[0]);
  std::iota(order.begin(), order.end(), 0u);
  std::vector<int32_t> labels;
  for (size_t i = 0; i < order.size(); ++i) labels.push_back(static_cast<int32_t>(i % 7));
  const Shape row_shape(storage->shape().begin() + 1, storage->shape().end());
  return Dataset(storage, storage->rows(), row_shape, std::move(order), std::move(labels));
}

// Bytes that are not independent, as in images: each is close to the one before it.
inline Tensor SmoothBytes(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  Tensor tensor(DType::kU8, shape);
  int value = 128;
  for (int64_t j = 0; j < tensor.elements(); ++j) {
    value += static_cast<int>(rng.UniformBelow(81)) - 40;
    value = value < 0 ? -value : value > 255 ? 510 - value : value;
    tensor.as<uint8_t>()[j] = static_cast<uint8_t>(value);
  }
  return tensor;
}

inline std::vector<float> GaussianRow(int64_t width, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> row(width);
  for (float& element : row) element = static_cast<float>(rng.Gaussian());
  return row;
}

}  // namespace kwta
