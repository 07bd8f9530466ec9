#include "core/training/fine_tuning/tuned_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/backends/backend_registry.h"
#include "core/encoders/stack.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::tuned_network_test {
namespace {

using testing::HasSubstr;

constexpr int64_t kRows = 4, kWidth = 5, kLower = 6, kUpper = 7, kClasses = 3, kLanes = 16;
constexpr float kScale = 0.5f;

// All parameters in binary64, and the loss by its definition with the supports held fixed.
struct Oracle {
  explicit Oracle(const TensorMap& state)
      : atoms{Copy(state.at("layers.0.atoms")), Copy(state.at("layers.1.atoms"))},
        bias{Copy(state.at("layers.0.bias")), Copy(state.at("layers.1.bias"))},
        classifier(Copy(state.at("classifier"))) {}

  static std::vector<double> Copy(const Tensor& tensor) {
    return std::vector<double>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  }
  static std::vector<double> Affine(const std::vector<double>& w, const std::vector<double>& b,
                                    const std::vector<double>& x) {
    std::vector<double> z = b;
    for (size_t h = 0; h < b.size(); ++h) {
      for (size_t d = 0; d < x.size(); ++d) z[h] += w[h * x.size() + d] * x[d];
    }
    return z;
  }
  static std::vector<double> Keep(const std::vector<double>& z, const std::vector<int32_t>& support) {
    std::vector<double> kept(z.size());
    for (const int32_t unit : support) kept[unit] = z[unit];
    return kept;
  }
  void FindSupports(const float* x) {
    for (int64_t i = 0; i < kRows; ++i) {
      const std::vector<double> row(x + i * kWidth, x + (i + 1) * kWidth);
      const std::vector<double> lower = Affine(atoms[0], bias[0], row);
      supports[0].push_back(KSparseOracle::Support(lower, 4));
      const std::vector<double> upper = Affine(atoms[1], bias[1], Keep(lower, supports[0].back()));
      supports[1].push_back(KSparseOracle::Support(upper, 3));
    }
  }
  double Loss(const float* x, const int32_t* labels, double l2) const {
    double loss = 0;
    std::vector<bool> active[2] = {std::vector<bool>(kLower), std::vector<bool>(kUpper)};
    for (int64_t i = 0; i < kRows; ++i) {
      std::vector<double> code(x + i * kWidth, x + (i + 1) * kWidth);
      for (int layer = 0; layer < 2; ++layer) {
        code = Keep(Affine(atoms[layer], bias[layer], code), supports[layer][i]);
        for (const int32_t unit : supports[layer][i]) active[layer][unit] = true;
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
    for (int layer = 0; layer < 2; ++layer) {
      const int64_t width = layer == 0 ? kWidth : kLower;
      for (size_t e = 0; e < atoms[layer].size(); ++e) {
        if (active[layer][e / width]) loss += l2 / 2 * atoms[layer][e] * atoms[layer][e];
      }
    }
    for (int64_t e = 0; e < kUpper * kLanes; ++e) loss += l2 / 2 * classifier[e] * classifier[e];
    return loss;
  }

  std::vector<double> atoms[2], bias[2], classifier;
  std::vector<std::vector<int32_t>> supports[2];
};

class TunedNetworkTest : public testing::Test {
 protected:
  TunedNetworkTest() {
    ModelBundle lower = RandomKSparseModel(kLower, kWidth, 2, false, 1);
    lower.description.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(2);  // keeps 4
    stack_ = PutOnBase(std::move(lower), RandomKSparseModel(kUpper, kLower, 3, false, 2));
    x_ = GaussianTensor({kRows, kWidth}, 1, rng_);
  }

  TunedNetwork Make(std::shared_ptr<Backend> backend) {
    TunedNetwork network = TunedNetwork::Create(stack_, std::move(backend)).value();
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
  static TunedNetwork::StepOptions UnitStep(int first_layer, float l2) {
    TunedNetwork::StepOptions options;
    options.first_layer = first_layer;
    options.encoder = {1, 0, l2};
    options.classifier = {1, 0, l2};
    return options;
  }

  void ExpectSlopes(std::shared_ptr<Backend> backend, float l2) {
    TunedNetwork network = Make(std::move(backend));
    Oracle before(network.Checkpoint().value());
    before.FindSupports(x_.as<float>());
    const auto outcome = network.Step(x_.as<float>(), labels_, kRows, UnitStep(0, l2), rng_);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_NEAR(outcome->loss / kRows, before.Loss(x_.as<float>(), labels_, 0), 1e-5);
    const Oracle after(network.Checkpoint().value());
    const auto expect = [&](std::vector<double>& parameters, const std::vector<double>& moved, const char* name) {
      for (size_t e = 0; e < parameters.size(); ++e) {
        const double step = 1e-5, at = parameters[e];
        parameters[e] = at + step;
        const double above = before.Loss(x_.as<float>(), labels_, l2);
        parameters[e] = at - step;
        const double below = before.Loss(x_.as<float>(), labels_, l2);
        parameters[e] = at;
        EXPECT_NEAR(at - moved[e], (above - below) / (2 * step), 2e-5) << name << " " << e;
      }
    };
    expect(before.atoms[0], after.atoms[0], "lower atoms");
    expect(before.bias[0], after.bias[0], "lower bias");
    expect(before.atoms[1], after.atoms[1], "upper atoms");
    expect(before.bias[1], after.bias[1], "upper bias");
    // Lanes beyond the classes, and the velocities after the weights, are no parameters.
    for (int64_t h = 0; h <= kUpper; ++h) {
      std::vector<double> moved(after.classifier);
      for (int64_t c = 0; c < kClasses; ++c) {
        const int64_t e = h * kLanes + c;
        const double step = 1e-5, at = before.classifier[e];
        before.classifier[e] = at + step;
        const double above = before.Loss(x_.as<float>(), labels_, l2);
        before.classifier[e] = at - step;
        const double below = before.Loss(x_.as<float>(), labels_, l2);
        before.classifier[e] = at;
        EXPECT_NEAR(at - moved[e], (above - below) / (2 * step), 2e-5) << "classifier " << h << " " << c;
      }
    }
  }

  Rng rng_{5};
  ModelBundle stack_;
  Tensor x_;
  const int32_t labels_[kRows] = {2, 0, 1, 2};
};

TEST_F(TunedNetworkTest, StepsAlongTheSlopeOfTheLossWithTheSupportsHeldFixed) {
  for (const std::string& name : AllBackendNames()) {
    SCOPED_TRACE(name);
    ExpectSlopes(CreateAnyBackend(name, {2}).value(), 0);
    ExpectSlopes(CreateAnyBackend(name, {1}).value(), 0.125f);
  }
}

TEST_F(TunedNetworkTest, WorksInMemoryThatTheHostMayNotTouch) {
  ExpectSlopes(std::make_shared<DistantBackend>(), 0.125f);
}

TEST_F(TunedNetworkTest, LayersBelowTheFirstToTrainStayAsTheyAre) {
  const auto backend = CreateBackend("", {1}).value();
  TunedNetwork whole = Make(backend), top = Make(backend);
  const Oracle before(top.Checkpoint().value());
  ASSERT_TRUE(whole.Step(x_.as<float>(), labels_, kRows, UnitStep(0, 0), rng_).ok());
  ASSERT_TRUE(top.Step(x_.as<float>(), labels_, kRows, UnitStep(1, 0), rng_).ok());
  const Oracle after(top.Checkpoint().value()), joint(whole.Checkpoint().value());
  EXPECT_EQ(after.atoms[0], before.atoms[0]);
  EXPECT_EQ(after.bias[0], before.bias[0]);
  EXPECT_NE(joint.atoms[0], before.atoms[0]);
  EXPECT_EQ(after.atoms[1], joint.atoms[1]) << "the gradient of the upper layers is the same";
  EXPECT_EQ(after.classifier, joint.classifier);
}

TEST_F(TunedNetworkTest, DroppedActivitiesHaveNoGradientAndTheOthersAreScaledUp) {
  const auto backend = CreateBackend("", {1}).value();
  TunedNetwork network = Make(backend);
  TunedNetwork::StepOptions options = UnitStep(0, 0);
  options.code_dropout = 1 - 1e-12;  // all of them
  const Oracle before(network.Checkpoint().value());
  ASSERT_TRUE(network.Step(x_.as<float>(), labels_, kRows, options, rng_).ok());
  const Oracle after(network.Checkpoint().value());
  EXPECT_EQ(after.atoms[0], before.atoms[0]);
  EXPECT_EQ(after.atoms[1], before.atoms[1]);
  EXPECT_NE(after.classifier, before.classifier) << "its bias still learns";
}

TEST_F(TunedNetworkTest, MovesEachRowAlongTheSlopeOfItsLoss) {
  constexpr float kLength = 0.25f;
  for (const std::shared_ptr<Backend>& backend :
       {CreateBackend("", {1}).value(), std::shared_ptr<Backend>(std::make_shared<DistantBackend>())}) {
    TunedNetwork network = Make(backend);
    Oracle oracle(network.Checkpoint().value());
    oracle.FindSupports(x_.as<float>());
    Tensor moved = x_.Clone();
    ASSERT_TRUE(network.AddAdversarial(kLength, labels_, kRows, moved.as<float>()).ok());
    for (int64_t i = 0; i < kRows; ++i) {
      std::vector<double> slopes(kWidth);
      double norm = 0;
      for (int64_t d = 0; d < kWidth; ++d) {
        const float step = 1.0f / 1024;
        Tensor above = x_.Clone(), below = x_.Clone();
        above.as<float>()[i * kWidth + d] += step;
        below.as<float>()[i * kWidth + d] -= step;
        slopes[d] = (oracle.Loss(above.as<float>(), labels_, 0) - oracle.Loss(below.as<float>(), labels_, 0)) / step;
        norm += slopes[d] * slopes[d];
      }
      for (int64_t d = 0; d < kWidth; ++d) {
        const int64_t e = i * kWidth + d;
        EXPECT_NEAR(moved.as<float>()[e] - x_.as<float>()[e], kLength * slopes[d] / std::sqrt(norm), 1e-3);
      }
    }
    const Oracle after(network.Checkpoint().value());
    EXPECT_EQ(after.atoms[0], oracle.atoms[0]) << "nothing learns";
    EXPECT_EQ(after.classifier, oracle.classifier);
  }
}

TEST_F(TunedNetworkTest, RowsWithoutASlopeStay) {
  const auto backend = CreateBackend("", {1}).value();
  TunedNetwork network = Make(backend);
  network.SetClassifier(Classifier(kUpper, kClasses, kScale));  // weights zero: the loss does not depend on the code
  Tensor moved = x_.Clone();
  ASSERT_TRUE(network.AddAdversarial(1, labels_, kRows, moved.as<float>()).ok());
  for (int64_t e = 0; e < kRows * kWidth; ++e) EXPECT_EQ(moved.as<float>()[e], x_.as<float>()[e]);
}

TEST_F(TunedNetworkTest, GoesOnFromACheckpointWithItsVelocities) {
  const auto backend = CreateBackend("", {1}).value();
  TunedNetwork::StepOptions options = UnitStep(0, 0);
  options.encoder = {0.1f, 0.9f, 0};
  options.classifier = {0.1f, 0.9f, 0};
  TunedNetwork network = Make(backend);
  ASSERT_TRUE(network.Step(x_.as<float>(), labels_, kRows, options, rng_).ok());
  TunedNetwork other = Make(backend);
  TensorMap state = network.Checkpoint().value();
  ASSERT_TRUE(other.Restore(state).ok());
  ASSERT_TRUE(network.Step(x_.as<float>(), labels_, kRows, options, rng_).ok());
  ASSERT_TRUE(other.Step(x_.as<float>(), labels_, kRows, options, rng_).ok());
  const Oracle one(network.Checkpoint().value()), two(other.Checkpoint().value());
  EXPECT_EQ(one.atoms[0], two.atoms[0]);
  EXPECT_EQ(one.atoms[1], two.atoms[1]);
  EXPECT_EQ(one.classifier, two.classifier);
  state.erase("layers.1.velocity.bias");
  const absl::Status status = other.Restore(state);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("velocity.bias"));
}

TEST_F(TunedNetworkTest, SaysThatItDiverged) {
  const auto backend = CreateBackend("", {1}).value();
  TunedNetwork network = Make(backend);
  TunedNetwork::StepOptions options = UnitStep(0, 0);
  options.encoder.rate = 1e30f;
  absl::Status status;
  for (int step = 0; step < 3 && status.ok(); ++step) {
    status = network.Step(x_.as<float>(), labels_, kRows, options, rng_).status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("fine-tuning has diverged"));
}

}  // namespace
}  // namespace kwta::tuned_network_test
