#include "core/encoders/winner_take_all.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/backends/backend_registry.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/winner_take_all_fixture.h"

namespace kwta::winner_take_all_test {
namespace {

using testing::HasSubstr;

std::shared_ptr<Backend> Reference() { return CreateBackend("reference", {1}).value(); }

std::shared_ptr<const Encoder> MakeEncoder(const ModelBundle& bundle,
                                           const std::shared_ptr<Backend>& backend = Reference()) {
  return CreateWinnerTakeAllEncoder(bundle, backend).value();
}

std::vector<float> EncodeDense(const Encoder& encoder, const RowsView& x) {
  std::vector<float> out(x.rows * encoder.code_width(), -7.0f);
  EXPECT_EQ(encoder.EncodeDense(x, encoder.ResolveK({}).value(), out.data()), absl::OkStatus());
  return out;
}

class WinnerTakeAllOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, WinnerTakeAllOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(WinnerTakeAllOnEveryBackend, EqualsAnIndependentComputation) {
  for (bool tied : {false, true}) {
    const auto spec = FittedWinnerTakeAll({2, 7, 6}, [&](v1::WinnerTakeAllSpec* s) {
      s->set_tied_weights(tied);
      if (!tied) s->set_decoder_filter_size(4);
    });
    const ModelBundle bundle = RandomWinnerTakeAllModel(spec, /*subtract_mean=*/true, 5);
    const auto encoder = MakeEncoder(bundle, backend_);
    const WinnerTakeAllOracle oracle(spec, bundle.tensors);
    const std::vector<double> mean = KSparseOracle::Copy(bundle.tensors.at("mean"));
    Rng rng(6);
    const Tensor x = GaussianTensor({9, 84}, 1.0, rng);
    ASSERT_TRUE(encoder->dense_codes());
    ASSERT_EQ(encoder->input_width(), 84);
    ASSERT_EQ(encoder->code_width(), 4 * 4 * 3);
    const std::vector<float> codes = EncodeDense(*encoder, x.rows());
    std::vector<float> reconstructed(9 * 84);
    ASSERT_EQ(encoder->Reconstruct(x.rows(), encoder->code_width(), reconstructed.data()), absl::OkStatus());
    for (int64_t i = 0; i < 9; ++i) {
      std::vector<double> centred(84);
      for (int64_t d = 0; d < 84; ++d) centred[d] = x.as<float>()[i * 84 + d] - mean[d];
      const std::vector<double> z = oracle.Activities(centred.data());
      const std::vector<double> pooled = oracle.Pooled(z), xhat = oracle.Reconstruction(z, oracle.Winners(z));
      for (int64_t h = 0; h < 48; ++h) EXPECT_NEAR(codes[i * 48 + h], pooled[h], 1e-5) << i << " " << h;
      for (int64_t d = 0; d < 84; ++d) EXPECT_NEAR(reconstructed[i * 84 + d], xhat[d] + mean[d], 1e-4) << i << " " << d;
    }
  }
}

TEST_P(WinnerTakeAllOnEveryBackend, ARowsCodeDoesNotDependOnItsBatch) {
  const auto encoder = MakeEncoder(RandomWinnerTakeAllModel(FittedWinnerTakeAll({11, 13}), false, 7), backend_);
  Rng rng(8);
  const Tensor x = GaussianTensor({31, 143}, 1.0, rng);
  const std::vector<float> together = EncodeDense(*encoder, x.rows());
  for (int64_t i = 0; i < 31; ++i) {
    const std::vector<float> alone = EncodeDense(*encoder, x.rows().Slice(i, 1));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + i * encoder->code_width())) << i;
  }
}

TEST(WinnerTakeAllEncoder, SparseCodesAreTheNonZeroEntriesOfDenseOnes) {
  ModelBundle bundle = RandomWinnerTakeAllModel(FittedWinnerTakeAll({5, 5}), false, 9);
  for (int64_t m = 0; m < 4; ++m) bundle.tensors["bias"].as<float>()[m] = -1.5f;
  const auto encoder = MakeEncoder(bundle);
  Rng rng(10);
  const Tensor x = GaussianTensor({6, 25}, 1.0, rng);
  const std::vector<float> dense = EncodeDense(*encoder, x.rows());
  SparseCodes codes;
  ASSERT_EQ(encoder->EncodeSparse(x.rows(), encoder->code_width(), &codes), absl::OkStatus());
  ASSERT_EQ(codes.rows(), 6);
  ASSERT_EQ(codes.units, encoder->code_width());
  const auto zeros = std::count(dense.begin(), dense.end(), 0.0f);
  EXPECT_GT(zeros, 0);
  EXPECT_EQ(codes.entries(), static_cast<int64_t>(dense.size()) - zeros);
  std::vector<float> expanded(dense.size());
  codes.ToDense(expanded.data());
  EXPECT_EQ(expanded, dense);
}

TEST(WinnerTakeAllEncoder, BytesAndTheFloatsTheyStandForGiveTheSameCodes) {
  const auto encoder = MakeEncoder(RandomWinnerTakeAllModel(FittedWinnerTakeAll({5, 4}), true, 10));
  std::vector<uint8_t> bytes(60);
  std::vector<float> floats(60);
  for (int i = 0; i < 60; ++i) {
    bytes[i] = static_cast<uint8_t>(i * 37);
    floats[i] = static_cast<float>(bytes[i]) / 255.0f;
  }
  EXPECT_EQ(EncodeDense(*encoder, {DType::kU8, bytes.data(), 3, 20}),
            EncodeDense(*encoder, {DType::kF32, floats.data(), 3, 20}));
}

TEST(WinnerTakeAllEncoder, LongInputsAreEncodedBlockByBlock) {
  const auto spec = FittedWinnerTakeAll({1, 512, 512}, [](v1::WinnerTakeAllSpec* s) {  // blocks of 8 rows
    s->set_maps(1);
    s->set_filter_size(1);
    s->set_pool_width(1);
    s->set_pool_stride(64);
  });
  const auto encoder = MakeEncoder(RandomWinnerTakeAllModel(spec, false, 11));
  Tensor x(DType::kU8, {17, 512 * 512});
  for (int64_t i = 0; i < x.elements(); ++i) x.as<uint8_t>()[i] = static_cast<uint8_t>(i * i >> 7);
  const std::vector<float> codes = EncodeDense(*encoder, x.rows());
  std::vector<float> reconstructed(17 * 512 * 512), alone(512 * 512);
  ASSERT_EQ(encoder->Reconstruct(x.rows(), 64, reconstructed.data()), absl::OkStatus());
  for (const int64_t i : {7, 8, 16}) {
    const std::vector<float> code = EncodeDense(*encoder, x.rows().Slice(i, 1));
    EXPECT_TRUE(std::equal(code.begin(), code.end(), codes.begin() + i * 64)) << i;
    ASSERT_EQ(encoder->Reconstruct(x.rows().Slice(i, 1), 64, alone.data()), absl::OkStatus());
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), reconstructed.begin() + i * 512 * 512)) << i;
  }
}

TEST(WinnerTakeAllEncoder, RowsWithManyActivitiesAreReconstructedInParts) {
  const auto spec = FittedWinnerTakeAll({1, 24, 24}, [](v1::WinnerTakeAllSpec* s) {
    s->set_maps(64);
    s->set_sparsity(v1::WINNER_SPARSITY_NONE);
  });
  const auto encoder = MakeEncoder(RandomWinnerTakeAllModel(spec, true, 13));
  EXPECT_EQ(encoder->row_activities(encoder->code_width()), 64 * 24 * 24) << "56 rows have 16 MiB of them";
  Tensor x(DType::kU8, {60, 24 * 24});
  for (int64_t i = 0; i < x.elements(); ++i) x.as<uint8_t>()[i] = static_cast<uint8_t>(i * i >> 7);
  std::vector<float> reconstructed(x.elements()), alone(24 * 24);
  ASSERT_EQ(encoder->Reconstruct(x.rows(), encoder->code_width(), reconstructed.data()), absl::OkStatus());
  for (const int64_t i : {0, 55, 56, 59}) {
    ASSERT_EQ(encoder->Reconstruct(x.rows().Slice(i, 1), encoder->code_width(), alone.data()), absl::OkStatus());
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), reconstructed.begin() + i * 24 * 24)) << i;
  }
}

TEST(WinnerTakeAllEncoder, WorksWhereTheHostCannotTouchTheBackendsMemory) {
  const ModelBundle bundle = RandomWinnerTakeAllModel(FittedWinnerTakeAll({6, 6}), true, 12);
  const auto near = MakeEncoder(bundle);
  const auto far = MakeEncoder(bundle, std::make_shared<DistantBackend>());
  Rng rng(13);
  const Tensor x = GaussianTensor({5, 36}, 1.0, rng);
  EXPECT_EQ(EncodeDense(*near, x.rows()), EncodeDense(*far, x.rows()));
  std::vector<float> out(180), far_out(180);
  ASSERT_EQ(near->Reconstruct(x.rows(), 36, out.data()), absl::OkStatus());
  ASSERT_EQ(far->Reconstruct(x.rows(), 36, far_out.data()), absl::OkStatus());
  EXPECT_EQ(out, far_out);
  // The one finds the winners, the other decodes them.
  SparseCodes winners;
  ASSERT_EQ(far->Activities(x.rows(), 36, &winners), absl::OkStatus());
  std::fill(far_out.begin(), far_out.end(), 0.0f);
  ASSERT_EQ(near->DecodeActivities(winners, far_out.data()), absl::OkStatus());
  EXPECT_EQ(out, far_out);
}

TEST(WinnerTakeAllEncoder, NoRowsGiveNoCodes) {
  const auto encoder = MakeEncoder(RandomWinnerTakeAllModel(FittedWinnerTakeAll({5, 4}), false, 14));
  SparseCodes codes;
  EXPECT_EQ(encoder->EncodeSparse({DType::kF32, nullptr, 0, 20}, 1, &codes), absl::OkStatus());
  EXPECT_EQ(codes.rows(), 0);
  EXPECT_EQ(encoder->EncodeDense({DType::kF32, nullptr, 0, 20}, 1, nullptr), absl::OkStatus());
}

TEST(WinnerTakeAllEncoder, KeepsEveryActivity) {
  const auto encoder = MakeEncoder(RandomWinnerTakeAllModel(FittedWinnerTakeAll({5, 4}), false, 14));
  EXPECT_EQ(encoder->ResolveK({}).value(), encoder->code_width());
  for (const EncodeOptions& options : {EncodeOptions{2, 0}, EncodeOptions{0, 3}}) {
    const absl::Status status = encoder->ResolveK(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected neither k nor alpha"));
  }
  EXPECT_EQ(encoder->Decode({}, nullptr).code(), absl::StatusCode::kUnimplemented);
}

TEST(WinnerTakeAllEncoder, RefusesBundlesThatDoNotFitTogether) {
  const ModelBundle good = RandomWinnerTakeAllModel(FittedWinnerTakeAll({5, 4}), true, 15);
  const auto message = [&](void (*damage)(ModelBundle*)) {
    ModelBundle bundle;
    bundle.description = good.description;
    for (const auto& [name, tensor] : good.tensors) bundle.tensors[name] = tensor.Clone();
    damage(&bundle);
    const absl::Status status = CreateWinnerTakeAllEncoder(bundle, Reference()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    return std::string(status.message());
  };
  for (const char* name : {"filters", "bias", "decoder_filters", "decoder_bias", "mean"}) {
    ModelBundle bundle;
    bundle.description = good.description;
    for (const auto& [each, tensor] : good.tensors) {
      if (each != name) bundle.tensors[each] = tensor.Clone();
    }
    const absl::Status status = CreateWinnerTakeAllEncoder(bundle, Reference()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("no tensor \"", name, "\"")));
  }
  EXPECT_THAT(
      message([](ModelBundle* b) {
        b->tensors["filters"] = Tensor(DType::kF32, {4, 1, 3, 4});
      }),
      HasSubstr("tensor \"filters\" of the model is f32[4, 1, 3, 4]; its description asks for f32[4, 1, 3, 3]"));
  EXPECT_THAT(message([](ModelBundle* b) { b->description.set_code_width(5); }),
              HasSubstr("code_width 5; expected 24"));
  EXPECT_THAT(message([](ModelBundle* b) {
                b->description.set_input_width(21);
                b->description.mutable_preprocessing()->set_subtract_mean(false);
              }),
              HasSubstr("encoder.winner_take_all.input is 1x5x4"));
  EXPECT_THAT(
      message([](ModelBundle* b) { b->description.mutable_encoder()->mutable_winner_take_all()->clear_input(); }),
      HasSubstr("the smaller side of the image of 1x1x20"));
  EXPECT_THAT(
      message([](ModelBundle* b) { b->description.mutable_encoder()->mutable_winner_take_all()->set_pool_stride(0); }),
      HasSubstr("pool_stride is 0"));
}

}  // namespace
}  // namespace kwta::winner_take_all_test
