#include "core/encoders/k_sparse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "core/backends/backend_registry.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::k_sparse_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<Backend> Reference() { return CreateBackend("reference", {1}).value(); }

SparseCodes Encode(const Encoder& encoder, const RowsView& x, int64_t k) {
  SparseCodes codes;
  EXPECT_TRUE(encoder.EncodeSparse(x, k, &codes).ok());
  return codes;
}

class KSparseOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, KSparseOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(KSparseOnEveryBackend, EqualsAnIndependentComputation) {
  const ModelBundle bundle = RandomKSparseModel(300, 97, 12, /*subtract_mean=*/true, 5);
  const auto encoder = CreateKSparseEncoder(bundle, backend_).value();
  const KSparseOracle oracle(bundle.tensors);
  const std::vector<double> mean = KSparseOracle::Copy(bundle.tensors.at("mean"));
  Rng rng(6);
  const Tensor x = GaussianTensor({23, 97}, 1.0, rng);
  const SparseCodes codes = Encode(*encoder, x.rows(), 12);
  std::vector<float> decoded(23 * 97);
  ASSERT_TRUE(encoder->Decode(codes, decoded.data()).ok());
  ASSERT_EQ(codes.units, 300);
  ASSERT_EQ(codes.rows(), 23);
  for (int64_t i = 0; i < 23; ++i) {
    std::vector<double> centred(97);
    for (int64_t d = 0; d < 97; ++d) centred[d] = x.as<float>()[i * 97 + d] - mean[d];
    const std::vector<double> z = oracle.Activities(centred.data());
    const std::vector<int32_t> support = KSparseOracle::Support(z, 12);
    const std::vector<double> reconstruction = oracle.Reconstruction(z, support);
    for (int64_t j = 0; j < 12; ++j) {
      ASSERT_EQ(codes.indices[i * 12 + j], support[j]) << "row " << i;
      EXPECT_NEAR(codes.values[i * 12 + j], z[support[j]], 2e-5);
    }
    for (int64_t d = 0; d < 97; ++d) EXPECT_NEAR(decoded[i * 97 + d], reconstruction[d] + mean[d], 1e-4);
  }
}

TEST_P(KSparseOnEveryBackend, ARowsCodeDoesNotDependOnItsBatch) {
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(200, 65, 9, false, 7), backend_).value();
  Rng rng(8);
  const Tensor x = GaussianTensor({61, 65}, 1.0, rng);
  const SparseCodes together = Encode(*encoder, x.rows(), 9);
  SparseCodes alone;
  alone.units = 200;
  for (int64_t i = 0; i < 61; ++i) alone.AppendRows(Encode(*encoder, x.rows().Slice(i, 1), 9), 0, 1);
  EXPECT_EQ(together.indices, alone.indices);
  EXPECT_EQ(together.values, alone.values);  // the same bits
  EXPECT_EQ(together.row_offsets, alone.row_offsets);
}

TEST_P(KSparseOnEveryBackend, TiesGoToTheLowestUnit) {
  ModelBundle bundle = RandomKSparseModel(40, 8, 5, false, 9);
  for (int64_t h = 1; h < 40; ++h) {
    std::copy_n(bundle.tensors["atoms"].as<float>(), 8, bundle.tensors["atoms"].as<float>() + h * 8);
    bundle.tensors["bias"].as<float>()[h] = bundle.tensors["bias"].as<float>()[0];
  }
  const auto encoder = CreateKSparseEncoder(bundle, backend_).value();
  const std::vector<float> x(8, 0.25f);
  EXPECT_THAT(Encode(*encoder, {DType::kF32, x.data(), 1, 8}, 5).indices, ElementsAre(0, 1, 2, 3, 4));
}

TEST(KSparseEncoder, BytesAndTheFloatsTheyStandForGiveTheSameCodes) {
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(50, 20, 4, true, 10), Reference()).value();
  std::vector<uint8_t> bytes(60);
  std::vector<float> floats(60);
  for (int i = 0; i < 60; ++i) {
    bytes[i] = static_cast<uint8_t>(i * 37);
    floats[i] = static_cast<float>(bytes[i]) / 255.0f;
  }
  const SparseCodes from_bytes = Encode(*encoder, {DType::kU8, bytes.data(), 3, 20}, 4);
  const SparseCodes from_floats = Encode(*encoder, {DType::kF32, floats.data(), 3, 20}, 4);
  EXPECT_EQ(from_bytes.indices, from_floats.indices);
  EXPECT_EQ(from_bytes.values, from_floats.values);
}

TEST(KSparseEncoder, LongInputsAreEncodedAndDecodedBlockByBlock) {
  constexpr int64_t kWidth = 1 << 17;  // blocks of 16 rows
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(3, kWidth, 1, false, 11), Reference()).value();
  Tensor x(DType::kU8, {35, kWidth});
  for (int64_t i = 0; i < x.elements(); ++i) x.as<uint8_t>()[i] = static_cast<uint8_t>(i * i >> 7);
  const SparseCodes codes = Encode(*encoder, x.rows(), 2);
  std::vector<float> decoded(35 * kWidth);
  ASSERT_TRUE(encoder->Decode(codes, decoded.data()).ok());
  for (const int64_t i : {0, 15, 16, 34}) {
    const SparseCodes alone = Encode(*encoder, x.rows().Slice(i, 1), 2);
    std::vector<float> decoded_alone(kWidth);
    ASSERT_TRUE(encoder->Decode(alone, decoded_alone.data()).ok());
    EXPECT_TRUE(std::equal(alone.indices.begin(), alone.indices.end(), codes.indices.begin() + i * 2)) << i;
    EXPECT_TRUE(std::equal(decoded_alone.begin(), decoded_alone.end(), decoded.begin() + i * kWidth)) << i;
  }
}

TEST(KSparseEncoder, WorksWhereTheHostCannotTouchTheBackendsMemory) {
  const ModelBundle bundle = RandomKSparseModel(64, 16, 5, true, 12);
  const auto near = CreateKSparseEncoder(bundle, Reference()).value();
  const auto far = CreateKSparseEncoder(bundle, std::make_shared<DistantBackend>()).value();
  Rng rng(13);
  const Tensor x = GaussianTensor({10, 16}, 1.0, rng);
  const SparseCodes codes = Encode(*near, x.rows(), 5);
  const SparseCodes far_codes = Encode(*far, x.rows(), 5);
  EXPECT_EQ(codes.indices, far_codes.indices);
  EXPECT_EQ(codes.values, far_codes.values);
  std::vector<float> decoded(160), far_decoded(160);
  ASSERT_TRUE(near->Decode(codes, decoded.data()).ok());
  ASSERT_TRUE(far->Decode(codes, far_decoded.data()).ok());
  EXPECT_EQ(decoded, far_decoded);
}

TEST_P(KSparseOnEveryBackend, ServesSeveralThreadsAtOnce) {
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(200, 65, 9, false, 19), backend_).value();
  Rng rng(20);
  const Tensor x = GaussianTensor({40, 65}, 1.0, rng);
  const SparseCodes expected = Encode(*encoder, x.rows(), 9);
  std::vector<SparseCodes> codes(4);
  std::vector<std::thread> threads;
  for (SparseCodes& own : codes) threads.emplace_back([&] { own = Encode(*encoder, x.rows(), 9); });
  for (std::thread& thread : threads) thread.join();
  for (const SparseCodes& own : codes) {
    EXPECT_EQ(own.indices, expected.indices);
    EXPECT_EQ(own.values, expected.values);
  }
}

TEST(KSparseEncoder, NoRowsGiveNoCodes) {
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(5, 4, 2, false, 14), Reference()).value();
  const SparseCodes codes = Encode(*encoder, {DType::kF32, nullptr, 0, 4}, 2);
  EXPECT_EQ(codes.rows(), 0);
  EXPECT_EQ(codes.entries(), 0);
  EXPECT_TRUE(encoder->Decode(codes, nullptr).ok());
}

TEST(KSparseEncoder, ResolvesK) {
  ModelBundle bundle = RandomKSparseModel(100, 4, 25, false, 15);
  bundle.description.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(2);
  const auto encoder = CreateKSparseEncoder(bundle, Reference()).value();
  EXPECT_EQ(encoder->ResolveK({}).value(), 50);
  EXPECT_EQ(encoder->ResolveK({3, 0}).value(), 75);
  EXPECT_EQ(encoder->ResolveK({0.1, 0}).value(), 3);  // 2.5, rounded away from zero
  EXPECT_EQ(encoder->ResolveK({4, 0}).value(), 100);
  EXPECT_EQ(encoder->ResolveK({0, 1}).value(), 1);
  EXPECT_EQ(encoder->ResolveK({0, 100}).value(), 100);
}

TEST(KSparseEncoder, RefusesKOutOfRange) {
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(100, 4, 25, false, 16), Reference()).value();
  const auto message = [&](EncodeOptions options) {
    const absl::Status status = encoder->ResolveK(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message({0, 101}), HasSubstr("k is 101; expected 1 .. 100"));
  EXPECT_THAT(message({0, -1}), HasSubstr("k is -1; expected 1 .. 100"));
  EXPECT_THAT(message({4.1, 0}), HasSubstr("alpha is 4.1, which asks for round(alpha * 25) = 102 activities"));
  EXPECT_THAT(message({0.01, 0}), HasSubstr("= 0 activities; expected 1 .. 100"));
  EXPECT_THAT(message({-1, 0}), HasSubstr("alpha is -1"));
  EXPECT_THAT(message({std::nan(""), 0}), HasSubstr("alpha is nan"));
  EXPECT_THAT(message({1e300, 0}), HasSubstr("alpha is 1e+300"));
  EXPECT_THAT(message({2, 5}), HasSubstr("both alpha (2) and k (5) are set"));
}

std::string DataLoss(const ModelBundle& bundle) {
  const auto encoder = CreateKSparseEncoder(bundle, Reference());
  EXPECT_EQ(encoder.status().code(), absl::StatusCode::kDataLoss);
  return std::string(encoder.status().message());
}

TEST(KSparseEncoder, RefusesBundlesThatDoNotFitTheirDescription) {
  const auto model = [] { return RandomKSparseModel(6, 4, 2, true, 17); };
  ModelBundle bundle = model();
  bundle.tensors.erase("bias");
  EXPECT_THAT(DataLoss(bundle), HasSubstr("no tensor \"bias\""));
  bundle = model();
  bundle.tensors.erase("mean");
  EXPECT_THAT(DataLoss(bundle), HasSubstr("no tensor \"mean\""));
  bundle = model();
  bundle.tensors["atoms"] = Tensor(DType::kF32, {4, 6});
  EXPECT_THAT(DataLoss(bundle), HasSubstr("\"atoms\" of the model is f32[4, 6]; its description asks for f32[6, 4]"));
  bundle = model();
  bundle.tensors["decoder_bias"] = Tensor(DType::kF16, {4});
  EXPECT_THAT(DataLoss(bundle), HasSubstr("is f16[4]"));
  bundle = model();
  bundle.tensors["atoms"].as<float>()[9] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(DataLoss(bundle), HasSubstr("row 2, column 1"));
  bundle = model();
  bundle.description.set_code_width(7);
  EXPECT_THAT(DataLoss(bundle), HasSubstr("code_width 7"));
  bundle = model();
  bundle.description.set_input_width(0);
  EXPECT_THAT(DataLoss(bundle), HasSubstr("input_width 0"));
  bundle = model();
  bundle.description.mutable_encoder()->mutable_k_sparse()->set_k(7);
  EXPECT_THAT(DataLoss(bundle), HasSubstr("encoder.k_sparse.k is 7"));
  bundle = model();
  bundle.description.mutable_preprocessing()->set_u8_divisor(0);
  EXPECT_THAT(DataLoss(bundle), HasSubstr("preprocessing.u8_divisor is 0"));
}

TEST(KSparseEncoder, CountsTheBytesOfItsParameters) {
  const auto encoder = CreateKSparseEncoder(RandomKSparseModel(6, 4, 2, true, 18), Reference()).value();
  EXPECT_EQ(encoder->parameter_bytes(), 4 * (6 * 4 + 6 + 4));
  EXPECT_EQ(encoder->input_width(), 4);
  EXPECT_EQ(encoder->code_width(), 6);
}

}  // namespace
}  // namespace kwta::k_sparse_test
