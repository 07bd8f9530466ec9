// What the benchmarks compute on: images, and encoders trained on them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/work/workload.h"
#include "core/backends/backend.h"
#include "core/io/model_bundle.h"
#include "core/tensors/tensor.h"

namespace kwta::bench {

// Writes the training images of the first data set there is of mnist and fashion-mnist (looked for in `directories`,
// then in the system's folder) to DIR/images.npy, u8 [rows, 784], in a random order; and of cifar10, if it is there, to
// DIR/cifar10.npy, u8 [rows, 3072]. Returns the names of those written.
absl::StatusOr<std::vector<std::string>> WriteInputs(const std::vector<std::string>& directories,
                                                     const std::string& output);

// DIR/NAME.npy as rows of f32 (bytes divided by 255), or as stored.
// Errors: NOT_FOUND saying that the input is missing.
absl::StatusOr<Tensor> LoadFloats(const WorkOptions& options, const std::string& name);
absl::StatusOr<Tensor> LoadStored(const WorkOptions& options, const std::string& name);

// The encoder `spec` trained on DIR/DATA.npy for a few epochs, or as it was trained the last time: kept in
// DIR/NAME.bundle, with its tensors in DIR/NAME as npy files for other programs.
absl::StatusOr<ModelBundle> TrainedModel(const WorkOptions& options, const std::string& name, const std::string& data,
                                         const v1::EncoderSpec& spec, std::shared_ptr<Backend> backend);

// TrainedModel of a k-sparse encoder, DATA-UNITS; one dictionary serves every k.
absl::StatusOr<ModelBundle> TrainedKSparse(const WorkOptions& options, const std::string& data, int64_t units,
                                           std::shared_ptr<Backend> backend);

// Writes each tensor to DIR/NAME/TENSOR.npy, over what was there.
absl::Status WriteTensors(const WorkOptions& options, const std::string& name, const TensorMap& tensors);

// An encoder or learner with DIR's data as its input: "images" are [28, 28], "colour" [3, 32, 32], all else a vector.
Shape RowShape(const std::string& data, int64_t width);

}  // namespace kwta::bench
