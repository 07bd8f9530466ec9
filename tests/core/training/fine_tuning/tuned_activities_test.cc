// Fine-tuning of layers whose codes are all their activities: dropout, regularised, rbm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/backends/corruption.h"
#include "core/encoders/stack.h"
#include "core/training/fine_tuning/tuned_network.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::tuned_activities_test {
namespace {

constexpr int64_t kRows = 4, kWidth = 5, kLower = 9, kUpper = 7, kClasses = 3, kLanes = 16;
constexpr float kScale = 0.5f;

double S(v1::Activation activation, double a) {
  if (activation == v1::ACTIVATION_RELU) return std::max(a, 0.0);
  return activation == v1::ACTIVATION_SIGMOID ? 1 / (1 + std::exp(-a)) : std::log1p(std::exp(a));
}

// All parameters in binary64, and the loss by its definition with the dropout held fixed.
struct Oracle {
  explicit Oracle(const TensorMap& state)
      : atoms{Copy(state.at("layers.0.atoms")), Copy(state.at("layers.1.atoms"))},
        bias{Copy(state.at("layers.0.bias")), Copy(state.at("layers.1.bias"))},
        classifier(Copy(state.at("classifier"))),
        factors{std::vector<float>(kRows * kLower, 1.0f), std::vector<float>(kRows * kUpper, 1.0f)} {}

  static std::vector<double> Copy(const Tensor& tensor) {
    return std::vector<double>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  }
  double Loss(const float* x, const int32_t* labels, double l2) const {
    double loss = 0;
    for (int64_t i = 0; i < kRows; ++i) {
      std::vector<double> code(x + i * kWidth, x + (i + 1) * kWidth);
      for (int layer = 0; layer < 2; ++layer) {
        std::vector<double> above = bias[layer];
        for (size_t j = 0; j < above.size(); ++j) {
          for (size_t d = 0; d < code.size(); ++d) above[j] += atoms[layer][j * code.size() + d] * code[d];
          above[j] = factors[layer][i * above.size() + j] * S(activations[layer], above[j]);
        }
        code = above;
      }
      double sum = 0, own = 0;
      for (int64_t c = 0; c < kClasses; ++c) {
        double logit = classifier[kUpper * kLanes + c];
        for (int64_t h = 0; h < kUpper; ++h) logit += kScale * code[h] * classifier[h * kLanes + c];
        sum += std::exp(logit);
        if (c == labels[i]) own = logit;
      }
      loss += (std::log(sum) - own) / kRows;
    }
    for (const std::vector<double>& layer : atoms) {
      for (const double weight : layer) loss += l2 / 2 * weight * weight;
    }
    return loss;
  }

  std::vector<double> atoms[2], bias[2], classifier;
  std::vector<float> factors[2];
  v1::Activation activations[2] = {v1::ACTIVATION_RELU, v1::ACTIVATION_SIGMOID};
};

class TunedActivitiesTest : public testing::TestWithParam<std::string> {
 protected:
  // ReLU units with dropout below sigmoid ones without: the second kind is `upper`.
  static ModelBundle Stack(float dropout, const v1::EncoderSpec& upper) {
    ModelBundle lower = RandomKSparseModel(kLower, kWidth, 2, false, 1);
    v1::DropoutSpec& spec = *lower.description.mutable_encoder()->mutable_dropout();
    spec.set_units(kLower);
    spec.set_activation(v1::ACTIVATION_RELU);
    spec.set_hidden_dropout(dropout);
    ModelBundle top = RandomKSparseModel(kUpper, kLower, 2, false, 2);
    *top.description.mutable_encoder() = upper;
    return PutOnBase(std::move(lower), std::move(top));
  }
  static v1::EncoderSpec Upper(v1::Activation activation) {
    v1::EncoderSpec spec;
    spec.mutable_regularised()->set_units(kUpper);
    spec.mutable_regularised()->set_activation(activation);
    return spec;
  }
  static v1::EncoderSpec UpperRbm() {
    v1::EncoderSpec spec;
    spec.mutable_rbm()->set_units(kUpper);
    return spec;
  }
  TunedNetwork Make(const ModelBundle& stack) {
    TunedNetwork network = TunedNetwork::Create(stack, CreateAnyBackend(GetParam(), {2}).value()).value();
    Rng rng(9);
    Tensor state(DType::kF32, {2, kUpper + 1, kLanes});
    for (int64_t h = 0; h <= kUpper; ++h) {
      for (int64_t c = 0; c < kClasses; ++c) state.as<float>()[h * kLanes + c] = static_cast<float>(rng.Gaussian());
    }
    Classifier classifier(kUpper, kClasses, 1);
    classifier.Restore(state, kScale);
    network.SetClassifier(std::move(classifier));
    return network;
  }
  // One step at rate 1 without momentum: parameters fall by exactly the gradient.
  static TunedNetwork::StepOptions UnitStep(float l2) {
    TunedNetwork::StepOptions options;
    options.encoder = {1, 0, l2};
    options.classifier = {1, 0, 0};
    return options;
  }
  void ExpectStepAlongTheGradient(const ModelBundle& stack, v1::Activation upper, float dropout, float l2) {
    Rng rng(5), same(5);
    const Tensor x = GaussianTensor({kRows, kWidth}, 1, rng);
    GaussianTensor({kRows, kWidth}, 1, same);
    TunedNetwork network = Make(stack);
    Oracle before(network.Checkpoint().value());
    before.activations[1] = upper;
    if (dropout > 0) {
      const Dropout drawn{dropout, same.UniformBelow(uint64_t{1} << 63), 0};
      for (int64_t i = 0; i < kRows; ++i) DrawDropout(drawn, i, kLower, before.factors[0].data() + i * kLower);
    }
    const auto outcome = network.Step(x.as<float>(), labels_, kRows, UnitStep(l2), rng);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_NEAR(outcome->loss / kRows, before.Loss(x.as<float>(), labels_, 0), 1e-5);
    const Oracle after(network.Checkpoint().value());
    const auto expect = [&](std::vector<double>& parameters, const std::vector<double>& moved, const char* name) {
      double largest = 0;
      for (size_t e = 0; e < parameters.size(); ++e) {
        const double step = 1e-5, at = parameters[e];
        parameters[e] = at + step;
        const double above = before.Loss(x.as<float>(), labels_, l2);
        parameters[e] = at - step;
        const double below = before.Loss(x.as<float>(), labels_, l2);
        parameters[e] = at;
        EXPECT_NEAR(at - moved[e], (above - below) / (2 * step), 2e-5) << name << " " << e;
        largest = std::max(largest, std::fabs(above - below) / (2 * step));
      }
      EXPECT_GT(largest, 0.005) << name;
    };
    expect(before.atoms[0], after.atoms[0], "lower atoms");
    expect(before.bias[0], after.bias[0], "lower bias");
    expect(before.atoms[1], after.atoms[1], "upper atoms");
    expect(before.bias[1], after.bias[1], "upper bias");
  }

  const int32_t labels_[kRows] = {2, 0, 1, 2};
};
INSTANTIATE_TEST_SUITE_P(Backends, TunedActivitiesTest, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(TunedActivitiesTest, StepsAlongTheSlopeOfTheLossWithTheDropoutHeldFixed) {
  ExpectStepAlongTheGradient(Stack(0, UpperRbm()), v1::ACTIVATION_SIGMOID, 0, 0);
  ExpectStepAlongTheGradient(Stack(0.4f, UpperRbm()), v1::ACTIVATION_SIGMOID, 0.4f, 0);
  ExpectStepAlongTheGradient(Stack(0.4f, Upper(v1::ACTIVATION_SOFTPLUS)), v1::ACTIVATION_SOFTPLUS, 0.4f, 0);
  ExpectStepAlongTheGradient(Stack(0.4f, Upper(v1::ACTIVATION_RELU)), v1::ACTIVATION_RELU, 0.4f, 0);
}

TEST_P(TunedActivitiesTest, TheSpecsDropoutIsInPlaceOfTheLayersOwn) {
  Rng rng(5);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1, rng);
  const auto loss = [&](float own, std::optional<double> chosen) {
    TunedNetwork network = Make(Stack(own, UpperRbm()));
    TunedNetwork::StepOptions options = UnitStep(0);
    options.code_dropout = chosen;
    Rng draws(1);
    return network.Step(x.as<float>(), labels_, kRows, options, draws).value().loss;
  };
  EXPECT_EQ(loss(0.4f, 0), loss(0, std::nullopt));
  EXPECT_NE(loss(0.4f, std::nullopt), loss(0, std::nullopt));
  EXPECT_NE(loss(0, 0.4), loss(0.4f, std::nullopt)) << "the upper layer's codes have dropout too";
}

TEST_P(TunedActivitiesTest, MovesEachRowAlongTheSlopeOfItsLoss) {
  constexpr float kLength = 0.25f;
  Rng rng(5);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1, rng);
  TunedNetwork network = Make(Stack(0.4f, UpperRbm()));  // drops nothing for that gradient
  const Oracle oracle(network.Checkpoint().value());
  Tensor moved = x.Clone();
  ASSERT_TRUE(network.AddAdversarial(kLength, labels_, kRows, moved.as<float>()).ok());
  for (int64_t i = 0; i < kRows; ++i) {
    std::vector<double> slopes(kWidth);
    double norm = 0;
    for (int64_t d = 0; d < kWidth; ++d) {
      const float step = 1.0f / 1024;
      Tensor above = x.Clone(), below = x.Clone();
      above.as<float>()[i * kWidth + d] += step;
      below.as<float>()[i * kWidth + d] -= step;
      slopes[d] = (oracle.Loss(above.as<float>(), labels_, 0) - oracle.Loss(below.as<float>(), labels_, 0)) / step;
      norm += slopes[d] * slopes[d];
    }
    for (int64_t d = 0; d < kWidth; ++d) {
      const int64_t e = i * kWidth + d;
      EXPECT_NEAR(moved.as<float>()[e] - x.as<float>()[e], kLength * slopes[d] / std::sqrt(norm), 1e-3);
    }
  }
}

}  // namespace
}  // namespace kwta::tuned_activities_test
