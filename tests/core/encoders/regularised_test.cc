#include "core/encoders/regularised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/arrays/safetensors.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/expect_invalid.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::regularised_test {
namespace {

using testing::HasSubstr;

void Refuses(void (*set)(v1::RegularisedSpec*), const std::string& message) {
  ExpectInvalid<v1::RegularisedSpec>(ResolveRegularised, set, "encoder.regularised." + message);
}

TEST(RegularisedSpec, HasDefaults) {
  v1::RegularisedSpec spec;
  ASSERT_EQ(ResolveRegularised(&spec), absl::OkStatus());
  EXPECT_EQ(spec.units(), 1000u);
  EXPECT_EQ(spec.activation(), v1::ACTIVATION_RELU);
  EXPECT_EQ(spec.gaussian_noise(), 0.01f);
  EXPECT_TRUE(spec.unit_length());
  EXPECT_FALSE(spec.has_mean_decay());

  v1::RegularisedSpec sparse;
  sparse.set_activation(v1::ACTIVATION_SIGMOID);
  sparse.set_sparse_penalty(0.1f);
  ASSERT_EQ(ResolveRegularised(&sparse), absl::OkStatus());
  EXPECT_EQ(sparse.regulariser_case(), v1::RegularisedSpec::kSparsePenalty);
  EXPECT_EQ(sparse.target_activity(), 0);
  EXPECT_EQ(sparse.activity_limit(), 0.999f);
  EXPECT_EQ(sparse.mean_decay(), 0.9f);
}

TEST(RegularisedSpec, KeepsWhatIsSet) {
  for (auto set : {+[](v1::RegularisedSpec* spec) { spec->set_gaussian_noise(0); },
                   +[](v1::RegularisedSpec* spec) { spec->set_masking_noise(0.5f); },
                   +[](v1::RegularisedSpec* spec) { spec->set_first_order_noise(1); },
                   +[](v1::RegularisedSpec* spec) { spec->set_contraction(0); },
                   +[](v1::RegularisedSpec* spec) { spec->set_marginalised_noise(2); },
                   +[](v1::RegularisedSpec* spec) { spec->set_unit_length(false); },
                   +[](v1::RegularisedSpec* spec) { spec->set_max_length(2); },
                   +[](v1::RegularisedSpec* spec) { spec->set_weight_decay(0); }}) {
    v1::RegularisedSpec spec;
    set(&spec);
    const auto regulariser = spec.regulariser_case();
    const auto weights = spec.weights_case();
    ASSERT_EQ(ResolveRegularised(&spec), absl::OkStatus());
    if (regulariser != v1::RegularisedSpec::REGULARISER_NOT_SET) {
      EXPECT_EQ(spec.regulariser_case(), regulariser);
    }
    if (weights != v1::RegularisedSpec::WEIGHTS_NOT_SET) {
      EXPECT_EQ(spec.weights_case(), weights);
    }
  }
}

TEST(RegularisedSpec, RefusesWhatIsOutOfRange) {
  using Spec = v1::RegularisedSpec;
  Refuses([](Spec* spec) { spec->set_units(0); }, "units is 0; expected 1 .. 1048576");
  Refuses([](Spec* spec) { spec->set_units((1u << 20) + 1); }, "units is 1048577");
  Refuses([](Spec* spec) { spec->set_activation(static_cast<v1::Activation>(9)); }, "activation is 9; expected");
  Refuses([](Spec* spec) { spec->set_gaussian_noise(-0.1f); }, "gaussian_noise is -0.1; expected a finite");
  Refuses([](Spec* spec) { spec->set_gaussian_noise(NAN); }, "gaussian_noise is nan");
  Refuses([](Spec* spec) { spec->set_masking_noise(1); }, "masking_noise is 1; expected 0 .. 1, 1 excluded");
  Refuses([](Spec* spec) { spec->set_masking_noise(-0.5f); }, "masking_noise is -0.5");
  Refuses([](Spec* spec) { spec->set_first_order_noise(-1); }, "first_order_noise is -1");
  Refuses([](Spec* spec) { spec->set_contraction(-1); }, "contraction is -1");
  Refuses([](Spec* spec) { spec->set_contraction(INFINITY); }, "contraction is inf");
  Refuses([](Spec* spec) { spec->set_marginalised_noise(-1); }, "marginalised_noise is -1");
  Refuses([](Spec* spec) { spec->set_max_length(0); }, "max_length is 0; expected a finite number above 0");
  Refuses([](Spec* spec) { spec->set_weight_decay(-1); }, "weight_decay is -1");
  // A value of one regulariser with another.
  Refuses([](Spec* spec) { spec->set_mean_decay(0.5f); }, "mean_decay is set; expected no value");
  Refuses(
      [](Spec* spec) {
        spec->set_contraction(1);
        spec->set_target_activity(0.1f);
      },
      "target_activity is set; expected no value");
}

TEST(RegularisedSpec, SparsityNeedsItsDomain) {
  using Spec = v1::RegularisedSpec;
  Refuses([](Spec* spec) { spec->set_sparse_penalty(1); },
          "activity_limit is not set; expected a number above 0 and below 1, such as 0.9: activities of this "
          "activation are not bounded");
  Refuses(
      [](Spec* spec) {
        spec->set_activation(v1::ACTIVATION_SOFTPLUS);
        spec->set_sparse_penalty(1);
      },
      "activity_limit is not set");
  const auto sigmoid = [](Spec* spec) {
    spec->set_activation(v1::ACTIVATION_SIGMOID);
    spec->set_sparse_penalty(1);
  };
  struct Case {
    void (*set)(Spec*);
    const char* message;
  };
  for (const Case& each : {Case{[](Spec* spec) { spec->set_sparse_penalty(-1); }, "sparse_penalty is -1"},
                           Case{[](Spec* spec) { spec->set_target_activity(1); }, "target_activity is 1; expected"},
                           Case{[](Spec* spec) { spec->set_target_activity(-0.1f); }, "target_activity is -0.1"},
                           Case{[](Spec* spec) { spec->set_activity_limit(1); }, "activity_limit is 1; expected above"},
                           Case{[](Spec* spec) {
                                  spec->set_target_activity(0.5f);
                                  spec->set_activity_limit(0.4f);
                                },
                                "activity_limit is 0.4; expected above 0.5"},
                           Case{[](Spec* spec) { spec->set_mean_decay(1); }, "mean_decay is 1; expected 0 .. 1"}}) {
    Spec spec;
    sigmoid(&spec);
    each.set(&spec);
    const absl::Status status = ResolveRegularised(&spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << each.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(each.message));
  }
}

// The model that make_codes.py wrote, with the codes and reconstructions that NumPy computed in float64.
class RegularisedOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  static ModelBundle Bundle(v1::Activation activation) {
    ModelBundle bundle;
    v1::ModelDescription& description = bundle.description;
    description.set_format(1);
    description.set_name("fixture");
    description.set_input_width(9);
    description.set_code_width(11);
    description.mutable_encoder()->mutable_regularised()->set_units(11);
    description.mutable_encoder()->mutable_regularised()->set_activation(activation);
    description.mutable_preprocessing()->set_subtract_mean(true);
    for (const char* name : {"atoms", "bias", "decoder_bias", "mean"}) {
      bundle.tensors[name] = Fixture().at(name).Clone();
    }
    return bundle;
  }
  static const TensorMap& Fixture() {
    static const TensorMap tensors = ReadSafetensors(KWTA_TEST_DATA "/regularised/codes.safetensors").value().tensors;
    return tensors;
  }
  static std::vector<float> Floats(const Tensor& tensor) {
    return std::vector<float>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  }

  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, RegularisedOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

struct NamedActivation {
  v1::Activation activation;
  const char* name;
};
constexpr NamedActivation kNamedActivations[] = {
    {v1::ACTIVATION_RELU, "relu"}, {v1::ACTIVATION_SIGMOID, "sigmoid"}, {v1::ACTIVATION_SOFTPLUS, "softplus"}};

TEST_P(RegularisedOnEveryBackend, CodesAreThoseOfNumPy) {
  const Tensor& rows = Fixture().at("rows");
  for (const auto& [activation, name] : kNamedActivations) {
    SCOPED_TRACE(name);
    const auto encoder = CreateEncoder(Bundle(activation), backend_).value();
    EXPECT_EQ(encoder->dense_codes(), activation != v1::ACTIVATION_RELU);
    EXPECT_FALSE(encoder->takes_k());
    EXPECT_EQ(encoder->ResolveK({}).value(), 11);
    Codes codes;
    ASSERT_EQ(encoder->Encode(rows.rows(), 11, &codes), absl::OkStatus());
    EXPECT_EQ(std::holds_alternative<SparseCodes>(codes), activation == v1::ACTIVATION_RELU);
    std::vector<float> dense(5 * 11), direct(5 * 11), reconstructed(5 * 9);
    ToDense(codes, dense.data());
    ASSERT_EQ(encoder->EncodeDense(rows.rows(), 11, direct.data()), absl::OkStatus());
    EXPECT_EQ(dense, direct);
    ASSERT_EQ(encoder->Reconstruct(rows.rows(), 11, reconstructed.data()), absl::OkStatus());
    const std::vector<float> expected = Floats(Fixture().at(absl::StrCat(name, ".codes")));
    for (size_t e = 0; e < dense.size(); ++e) {
      EXPECT_NEAR(dense[e], expected[e], 2e-6) << e;
      EXPECT_EQ(dense[e] == 0, expected[e] == 0) << e;
    }
    const std::vector<float> decoded = Floats(Fixture().at(absl::StrCat(name, ".reconstructions")));
    for (size_t e = 0; e < decoded.size(); ++e) EXPECT_NEAR(reconstructed[e], decoded[e], 1e-5) << e;
  }
}

TEST_P(RegularisedOnEveryBackend, CodesHaveTheReferencesBits) {
  const Tensor& rows = Fixture().at("rows");
  for (const auto& [activation, name] : kNamedActivations) {
    SCOPED_TRACE(name);
    std::vector<float> actual(5 * 11), expected(5 * 11);
    const auto reference = CreateEncoder(Bundle(activation), CreateAnyBackend("reference", {1}).value()).value();
    ASSERT_EQ(reference->EncodeDense(rows.rows(), 11, expected.data()), absl::OkStatus());
    const auto encoder = CreateEncoder(Bundle(activation), backend_).value();
    ASSERT_EQ(encoder->EncodeDense(rows.rows(), 11, actual.data()), absl::OkStatus());
    EXPECT_EQ(actual, expected);
  }
}

TEST_P(RegularisedOnEveryBackend, ReconstructsAsTrainedFromCorruptedRows) {
  const Tensor& rows = Fixture().at("rows");
  for (const auto& [activation, name] : kNamedActivations) {
    SCOPED_TRACE(name);
    // Without noise: what Reconstruct gives.
    ModelBundle bundle = Bundle(activation);
    v1::RegularisedSpec& spec = *bundle.description.mutable_encoder()->mutable_regularised();
    spec.set_contraction(1);
    const auto clean = CreateEncoder(bundle, backend_).value();
    std::vector<float> reconstructed(5 * 9);
    ASSERT_EQ(clean->Reconstruct(rows.rows(), 11, reconstructed.data()), absl::OkStatus());
    const TrainedRows as_trained = clean->ReconstructAsTrained(rows.rows()).value();
    EXPECT_EQ(as_trained.width, 9);
    EXPECT_EQ(as_trained.x, Floats(rows));
    EXPECT_EQ(as_trained.reconstructions, reconstructed);
    // A mask of nearly everything leaves the mean of the rows, whose elements are then zero: training masks after it
    // has subtracted the mean.
    spec.set_masking_noise(0.999999f);
    const TrainedRows masked = CreateEncoder(bundle, backend_).value()->ReconstructAsTrained(rows.rows()).value();
    EXPECT_EQ(masked.x, Floats(rows));
    std::vector<float> of_mean(9);
    Tensor mean(DType::kF32, {1, 9});
    std::copy_n(Fixture().at("mean").as<float>(), 9, mean.as<float>());
    ASSERT_EQ(clean->Reconstruct(mean.rows(), 11, of_mean.data()), absl::OkStatus());
    for (size_t e = 0; e < 5 * 9; ++e) EXPECT_NEAR(masked.reconstructions[e], of_mean[e % 9], 1e-5);
  }
}

TEST_P(RegularisedOnEveryBackend, SparseRowsHaveTheActiveUnitsAlone) {
  const auto encoder = CreateEncoder(Bundle(v1::ACTIVATION_RELU), backend_).value();
  Codes codes;
  ASSERT_EQ(encoder->Encode(Fixture().at("rows").rows(), 11, &codes), absl::OkStatus());
  const auto& sparse = std::get<SparseCodes>(codes);
  EXPECT_EQ(sparse.rows(), 5);
  EXPECT_EQ(sparse.units, 11);
  EXPECT_EQ(sparse.RectangularWidth(), -1) << "the fixture is meant to have rows that differ";
  for (const float value : sparse.values) EXPECT_GT(value, 0);
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t e = sparse.row_offsets[i] + 1; e < sparse.row_offsets[i + 1]; ++e) {
      EXPECT_LT(sparse.indices[e - 1], sparse.indices[e]);
    }
  }
  // No rows have no codes; codes of no activity decode to the bias and the mean.
  ASSERT_EQ(encoder->Encode({DType::kF32, nullptr, 0, 9}, 11, &codes), absl::OkStatus());
  EXPECT_EQ(CodeRows(codes), 0);
  SparseCodes none;
  none.units = 11;
  none.row_offsets = {0, 0};
  std::vector<float> decoded(9);
  ASSERT_EQ(encoder->Decode(none, decoded.data()), absl::OkStatus());
  for (int d = 0; d < 9; ++d) {
    EXPECT_EQ(decoded[d], Fixture().at("decoder_bias").as<float>()[d] + Fixture().at("mean").as<float>()[d]);
  }
}

TEST_P(RegularisedOnEveryBackend, ARowsCodeDoesNotDependOnItsBatch) {
  constexpr int64_t kRows = 40, kUnits = 70, kWidth = 51;
  Rng rng(3);
  ModelBundle bundle = Bundle(v1::ACTIVATION_RELU);
  bundle.description.set_input_width(kWidth);
  bundle.description.set_code_width(kUnits);
  bundle.description.mutable_preprocessing()->set_subtract_mean(false);
  bundle.tensors["atoms"] = GaussianTensor({kUnits, kWidth}, 1, rng);
  bundle.tensors["bias"] = GaussianTensor({kUnits}, 1, rng);
  bundle.tensors["decoder_bias"] = GaussianTensor({kWidth}, 1, rng);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1, rng);
  for (const auto& [activation, name] : kNamedActivations) {
    bundle.description.mutable_encoder()->mutable_regularised()->set_units(kUnits);
    bundle.description.mutable_encoder()->mutable_regularised()->set_activation(activation);
    const auto encoder = CreateEncoder(bundle, backend_).value();
    std::vector<float> all(kRows * kUnits), one(kUnits);
    ASSERT_EQ(encoder->EncodeDense(x.rows(), kUnits, all.data()), absl::OkStatus());
    for (const int64_t i : {int64_t{0}, int64_t{17}, kRows - 1}) {
      ASSERT_EQ(encoder->EncodeDense(x.rows().Slice(i, 1), kUnits, one.data()), absl::OkStatus());
      EXPECT_EQ(std::memcmp(one.data(), all.data() + i * kUnits, kUnits * sizeof(float)), 0) << name << " " << i;
    }
  }
}

TEST_P(RegularisedOnEveryBackend, BytesAreConvertedAsThePreprocessingSays) {
  ModelBundle bundle = Bundle(v1::ACTIVATION_SIGMOID);
  bundle.description.mutable_preprocessing()->set_u8_divisor(10);
  const auto encoder = CreateEncoder(bundle, backend_).value();
  Tensor bytes(DType::kU8, {1, 9}), floats(DType::kF32, {1, 9});
  for (int d = 0; d < 9; ++d) {
    bytes.as<uint8_t>()[d] = static_cast<uint8_t>(20 * d);
    floats.as<float>()[d] = static_cast<float>(2 * d);
  }
  std::vector<float> of_bytes(11), of_floats(11);
  ASSERT_EQ(encoder->EncodeDense(bytes.rows(), 11, of_bytes.data()), absl::OkStatus());
  ASSERT_EQ(encoder->EncodeDense(floats.rows(), 11, of_floats.data()), absl::OkStatus());
  EXPECT_EQ(of_bytes, of_floats);
}

TEST_P(RegularisedOnEveryBackend, TakesNeitherKNorAlpha) {
  const auto encoder = CreateEncoder(Bundle(v1::ACTIVATION_RELU), backend_).value();
  EncodeOptions options;
  options.k = 3;
  EXPECT_THAT(std::string(encoder->ResolveK(options).status().message()),
              HasSubstr("k is 3; expected neither k nor alpha"));
  options.k = 0;
  options.alpha = 2;
  EXPECT_EQ(encoder->ResolveK(options).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(encoder->ResolveK(options).status().message()), HasSubstr("alpha is 2; expected neither"));
}

TEST_P(RegularisedOnEveryBackend, BundlesThatDoNotMatchAreDataLoss) {
  ModelBundle bundle = Bundle(v1::ACTIVATION_RELU);
  bundle.tensors.erase("bias");
  EXPECT_EQ(CreateEncoder(bundle, backend_).status().code(), absl::StatusCode::kDataLoss);
  bundle = Bundle(v1::ACTIVATION_RELU);
  bundle.description.set_code_width(12);
  EXPECT_THAT(std::string(CreateEncoder(bundle, backend_).status().message()), HasSubstr("code_width 12; expected"));
  bundle = Bundle(v1::ACTIVATION_RELU);
  bundle.description.mutable_encoder()->mutable_regularised()->set_contraction(-1);
  const absl::Status status = CreateEncoder(bundle, backend_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("contraction is -1"));
}

}  // namespace
}  // namespace kwta::regularised_test
