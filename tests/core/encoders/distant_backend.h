// A backend whose memory the host may not touch, as a device's would be: it proves that code written against Backend
// copies where it must. Operations are the reference's.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "core/backends/backend_registry.h"

namespace kwta {

// Every pointer that an operation gets must lie in memory that this backend allocated. For tests of one thread.
class DistantBackend : public Backend {
 public:
  DistantBackend() : reference_(CreateBackend("reference", {1}).value()) {}

  const char* name() const override { return "distant"; }
  int threads() const override { return 1; }
  bool host_accessible() const override { return false; }

  absl::StatusOr<Buffer> Allocate(size_t bytes) override {
    char* memory = new char[bytes]();
    blocks_.insert({memory, memory + bytes});
    return Buffer(memory, bytes, [this, memory, bytes](void*) {
      blocks_.erase({memory, memory + bytes});
      delete[] memory;
    });
  }
  absl::Status CopyFromHost(const void* host, void* device, size_t bytes) override {
    Check(device, bytes);
    std::memcpy(device, host, bytes);
    return absl::OkStatus();
  }
  absl::Status CopyToHost(const void* device, void* host, size_t bytes) override {
    Check(device, bytes);
    std::memcpy(host, device, bytes);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Dictionary>> PrepareDictionary(const float* atoms, const float* bias, int64_t units,
                                                                int64_t width) override {
    Check(atoms, units * width * sizeof(float));
    Check(bias, units * sizeof(float));
    return reference_->PrepareDictionary(atoms, bias, units, width);
  }
  absl::Status RefreshDictionary(Dictionary& dictionary) override { return reference_->RefreshDictionary(dictionary); }

  absl::Status Gemm(const GemmArgs& args) override { return reference_->Gemm(args); }
  absl::Status AffineTopK(const AffineTopKArgs& args) override {
    Check(args.x, args.rows * args.dictionary->width * sizeof(float));
    Check(args.indices, args.rows * args.k * sizeof(int32_t));
    Check(args.values, args.rows * args.k * sizeof(float));
    return reference_->AffineTopK(args);
  }
  absl::Status SparseDecode(const SparseDecodeArgs& args) override {
    Check(args.atoms, sizeof(float));
    Check(args.bias, args.width * sizeof(float));
    Check(args.indices, args.rows * args.k * sizeof(int32_t));
    Check(args.values, args.rows * args.k * sizeof(float));
    if (args.target != nullptr) Check(args.target, args.rows * args.width * sizeof(float));
    Check(args.output, args.rows * args.width * sizeof(float));
    return reference_->SparseDecode(args);
  }
  absl::Status SparseGradient(const SparseGradientArgs& args) override {
    Check(args.x, args.rows * args.width * sizeof(float));
    Check(args.residual, args.rows * args.width * sizeof(float));
    Check(args.gradient_atoms, args.units * args.width * sizeof(float));
    Check(args.gradient_bias, args.units * sizeof(float));
    Check(args.gradient_decoder_bias, args.width * sizeof(float));
    Check(args.active_rows, args.units * sizeof(int32_t));
    return reference_->SparseGradient(args);
  }
  absl::Status MomentumUpdate(const MomentumUpdateArgs& args) override {
    Check(args.parameter, args.rows * args.width * sizeof(float));
    Check(args.velocity, args.rows * args.width * sizeof(float));
    Check(args.gradient, args.rows * args.width * sizeof(float));
    return reference_->MomentumUpdate(args);
  }

 private:
  void Check(const void* address, size_t bytes) const {
    const char* begin = static_cast<const char*>(address);
    for (const auto& [first, last] : blocks_) {
      if (begin >= first && begin + bytes <= last) return;
    }
    ADD_FAILURE() << "an operation was given memory that is not the backend's";
  }

  const std::shared_ptr<Backend> reference_;
  std::set<std::pair<const char*, const char*>> blocks_;
};

}  // namespace kwta
