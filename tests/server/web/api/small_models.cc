#include "tests/server/web/api/small_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/arrays/find_tensor.h"

namespace kwta::server {
namespace {

constexpr int64_t kPixels = 784;

ModelBundle BundleOfPixels(const std::string& name, uint32_t code_width) {
  ModelBundle bundle;
  v1::ModelDescription& about = bundle.description;
  about.set_name(name);
  about.set_input_width(kPixels);
  about.set_code_width(code_width);
  about.mutable_dataset()->set_name("fashion-mnist");
  about.mutable_preprocessing()->set_u8_divisor(255);
  about.mutable_preprocessing()->set_subtract_mean(false);
  v1::ImageShape* input = about.mutable_preprocessing()->mutable_input();
  input->set_channels(1);
  input->set_height(28);
  input->set_width(28);
  about.mutable_statistics()->set_fraction_variance_unexplained(0.25);
  return bundle;
}

}  // namespace

ModelBundle BrightnessBundle() {
  ModelBundle bundle = BundleOfPixels("brightness", 2);
  v1::KSparseSpec* spec = bundle.description.mutable_encoder()->mutable_k_sparse();
  spec->set_units(2);
  spec->set_k(1);
  EXPECT_EQ(ResolveEncoder(bundle.description.mutable_encoder()), absl::OkStatus());
  std::vector<float> atoms(2 * kPixels, 1);
  std::fill(atoms.begin() + kPixels, atoms.end(), -1.0f);
  bundle.tensors.emplace("atoms", FloatTensor(atoms, {2, kPixels}));
  bundle.tensors.emplace("bias", FloatTensor({0, 0}, {2}));
  bundle.tensors.emplace("decoder_bias", FloatTensor(std::vector<float>(kPixels, 0), {kPixels}));
  return bundle;
}

ModelBundle MapsBundle() {
  ModelBundle bundle = BundleOfPixels("maps", 2 * 7 * 7);
  v1::WinnerTakeAllSpec* spec = bundle.description.mutable_encoder()->mutable_winner_take_all();
  spec->set_maps(2);
  spec->set_filter_size(1);
  spec->set_tied_weights(true);
  spec->set_pool_width(4);
  spec->set_pool_stride(4);
  spec->set_pool_padding(0);
  EXPECT_EQ(ResolveEncoder(bundle.description.mutable_encoder()), absl::OkStatus());
  EXPECT_EQ(FitEncoder(bundle.description.mutable_encoder(), {28, 28}), absl::OkStatus());
  bundle.tensors.emplace("filters", FloatTensor({1, -1}, {2, 1, 1, 1}));
  bundle.tensors.emplace("bias", FloatTensor({0, 0}, {2}));
  bundle.tensors.emplace("decoder_bias", FloatTensor({0}, {1}));
  return bundle;
}

absl::StatusOr<std::shared_ptr<const Encoder>> EncoderOf(const ModelBundle& bundle) {
  BackendOptions options;
  options.threads = 1;
  auto backend = CreateBackend("reference", options);
  if (!backend.ok()) return backend.status();
  return CreateEncoder(bundle, *backend);
}

std::shared_ptr<ServedModel> Serve(const ModelBundle& bundle) {
  auto encoder = EncoderOf(bundle);
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  auto model = std::make_shared<ServedModel>();
  model->name = bundle.description.name();
  model->version = 1;
  model->description = bundle.description;
  model->encoder = *encoder;
  return model;
}

}  // namespace kwta::server
