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
    if (args.x != nullptr) {
      Check(args.x, args.rows * args.dictionary->width * sizeof(float));
    } else {
      Check(args.bytes, args.rows * args.dictionary->width);
    }
    Check(args.indices, args.rows * args.k * sizeof(int32_t));
    Check(args.values, args.rows * args.k * sizeof(float));
    return reference_->AffineTopK(args);
  }
  absl::Status SparseDecode(const SparseDecodeArgs& args) override {
    Check(args.atoms, sizeof(float));
    if (args.bias != nullptr) Check(args.bias, args.width * sizeof(float));
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
  absl::Status ActiveGradient(const ActiveGradientArgs& args) override {
    if (args.x != nullptr) Check(args.x, args.rows * args.width * sizeof(float));
    if (args.x == nullptr) Check(args.x_indices, args.rows * args.x_k * sizeof(int32_t));
    if (args.x == nullptr) Check(args.x_values, args.rows * args.x_k * sizeof(float));
    Check(args.indices, args.rows * args.k * sizeof(int32_t));
    Check(args.dz, args.rows * args.k * sizeof(float));
    if (args.decay != 0) Check(args.atoms, args.units * args.width * sizeof(float));
    Check(args.gradient_atoms, args.units * args.width * sizeof(float));
    Check(args.gradient_bias, args.units * sizeof(float));
    Check(args.active_rows, args.units * sizeof(int32_t));
    return reference_->ActiveGradient(args);
  }
  absl::Status MomentumUpdate(const MomentumUpdateArgs& args) override {
    Check(args.parameter, args.rows * args.width * sizeof(float));
    Check(args.velocity, args.rows * args.width * sizeof(float));
    Check(args.gradient, args.rows * args.width * sizeof(float));
    return reference_->MomentumUpdate(args);
  }
  absl::Status AdamUpdate(const AdamUpdateArgs& args) override {
    for (const float* array : {args.parameter, args.first, args.second}) Check(array, args.size * sizeof(float));
    Check(args.gradient, args.size * sizeof(float));
    return reference_->AdamUpdate(args);
  }

  absl::Status ConvWinners(const ConvWinnersArgs& args) override {
    const int64_t entries = args.scope == WinnerScope::kEachMap ? args.maps * args.winners : args.winners;
    CheckFilters(args.filters, args.maps, args.size, args.images);
    Check(args.bias, args.maps * sizeof(float));
    CheckImages(args.x, args.images);
    Check(args.units, args.images.rows * entries * sizeof(int32_t));
    Check(args.values, args.images.rows * entries * sizeof(float));
    return reference_->ConvWinners(args);
  }
  absl::Status WinnerDecode(const WinnerDecodeArgs& args) override {
    CheckFilters(args.filters, args.maps, args.size, args.images);
    Check(args.bias, args.images.channels * sizeof(float));
    Check(args.units, args.images.rows * args.entries * sizeof(int32_t));
    Check(args.values, args.images.rows * args.entries * sizeof(float));
    if (args.target != nullptr) CheckImages(args.target, args.images);
    CheckImages(args.output, args.images);
    return reference_->WinnerDecode(args);
  }
  absl::Status WinnerGradient(const WinnerGradientArgs& args) override {
    CheckFilters(args.decoder, args.maps, args.decoder_size, args.images);
    CheckImages(args.x, args.images);
    CheckImages(args.residual, args.images);
    Check(args.units, args.images.rows * args.entries * sizeof(int32_t));
    Check(args.values, args.images.rows * args.entries * sizeof(float));
    CheckFilters(args.gradient_encoder, args.maps, args.encoder_size, args.images);
    if (args.gradient_decoder != nullptr)
      CheckFilters(args.gradient_decoder, args.maps, args.decoder_size, args.images);
    Check(args.gradient_bias, args.maps * sizeof(float));
    Check(args.gradient_decoder_bias, args.images.channels * sizeof(float));
    Check(args.active_rows, args.maps * sizeof(int32_t));
    return reference_->WinnerGradient(args);
  }
  absl::Status ConvPool(const ConvPoolArgs& args) override {
    CheckFilters(args.filters, args.maps, args.size, args.images);
    Check(args.bias, args.maps * sizeof(float));
    CheckImages(args.x, args.images);
    Check(args.output, args.images.rows * args.maps * args.pooling.Extent(args.images.height) *
                           args.pooling.Extent(args.images.width) * sizeof(float));
    return reference_->ConvPool(args);
  }
  absl::StatusOr<std::unique_ptr<TiedDictionary>> PrepareTiedDictionary(const TiedParameters& p) override {
    for (const float* array : {p.atoms, p.atom_velocity}) Check(array, p.units * p.width * sizeof(float));
    for (const float* array : {p.bias, p.bias_velocity, p.shift, p.decay}) Check(array, p.units * sizeof(float));
    for (const float* array : {p.decoder_bias, p.decoder_velocity}) Check(array, p.width * sizeof(float));
    if (p.offset != nullptr) Check(p.offset, p.width * sizeof(float));
    return reference_->PrepareTiedDictionary(p);
  }
  absl::Status RefreshTiedDictionary(TiedDictionary& dictionary) override {
    return reference_->RefreshTiedDictionary(dictionary);
  }
  absl::Status TiedStep(const TiedStepArgs& args) override {
    const TiedParameters& p = args.dictionary->parameters;
    Check(args.x, args.rows * p.width * sizeof(float));
    Check(args.indices, args.rows * args.k * sizeof(int32_t));
    Check(args.values, args.rows * args.k * sizeof(float));
    Check(args.active_rows, p.units * sizeof(int32_t));
    if (args.residual != nullptr) Check(args.residual, args.rows * p.width * sizeof(float));
    return reference_->TiedStep(args);
  }
  absl::Status TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) override {
    const TiedParameters& p = args.dictionary->parameters;
    Check(args.x, args.rows * p.width * sizeof(float));
    Check(args.residual, args.rows * p.width * sizeof(float));
    return reference_->TiedAuxiliaryStep(args);
  }
  absl::Status TiedAtoms(const TiedAtomsArgs& args) override {
    const TiedParameters& p = args.dictionary->parameters;
    Check(args.atoms, p.units * p.width * sizeof(float));
    if (args.atom_velocity != nullptr) Check(args.atom_velocity, p.units * p.width * sizeof(float));
    return reference_->TiedAtoms(args);
  }

 private:
  void Check(const void* address, size_t bytes) const {
    const char* begin = static_cast<const char*>(address);
    for (const auto& [first, last] : blocks_) {
      if (begin >= first && begin + bytes <= last) return;
    }
    ADD_FAILURE() << "an operation was given memory that is not the backend's";
  }
  void CheckImages(const float* address, const ImageBatch& images) const {
    Check(address, images.rows * images.elements() * sizeof(float));
  }
  void CheckFilters(const float* address, int64_t maps, int64_t size, const ImageBatch& images) const {
    Check(address, maps * images.channels * size * size * sizeof(float));
  }

  const std::shared_ptr<Backend> reference_;
  std::set<std::pair<const char*, const char*>> blocks_;
};

}  // namespace kwta
