// AffineActivation and RegularisedPass of every backend; the gradients by finite differences.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/rng.h"
#include "core/simd/fixed_order_dot.h"
#include "tests/core/backends/conformance.h"
#include "tests/core/backends/regularised_problems.h"

namespace kwta::regularised_conformance_test {
namespace {

constexpr Activation kActivations[] = {Activation::kReLU, Activation::kSigmoid, Activation::kSoftplus};

// What a pass adds to the autoencoder.
struct Regulariser {
  const char* name;
  std::function<void(RegularisedPassArgs*)> set;
};

std::vector<Regulariser> Regularisers() {
  const auto corrupt = [](CorruptionKind kind, float amount, bool first_order) {
    return [=](RegularisedPassArgs* args) {
      args->corruption = {kind, amount, 77, 1000};
      args->first_order = first_order;
    };
  };
  const auto sparsity = [](float target, float limit) {
    return [=](RegularisedPassArgs* args) {
      args->sparsity.weight = 0.7f;
      args->sparsity.target = target;
      args->sparsity.limit = limit;
      args->sparsity.mean_decay = 0.5f;
    };
  };
  return {{"none", [](RegularisedPassArgs*) {}},
          {"gaussian noise", corrupt(CorruptionKind::kGaussian, 0.25f, false)},
          {"masking noise", corrupt(CorruptionKind::kMasking, 0.3f, false)},
          {"first order", corrupt(CorruptionKind::kGaussian, 0.25f, true)},
          {"contraction", [](RegularisedPassArgs* args) { args->contraction = 0.6f; }},
          {"marginal", [](RegularisedPassArgs* args) { args->marginal = 0.4f; }},
          {"sparsity", sparsity(0, 0.95f)},
          {"sparsity beyond its limit", sparsity(0, 0.2f)},
          {"sparsity with a target", sparsity(0.15f, 0.95f)},
          {"weight decay", [](RegularisedPassArgs* args) { args->weight_decay = 0.3f; }},
          {"dropout",
           [](RegularisedPassArgs* args) {
             args->dropout = {0.4f, 78, 1000};
           }},
          {"sigmoid output", [](RegularisedPassArgs* args) { args->sigmoid_output = true; }},
          {"dropout of everything", [](RegularisedPassArgs* args) {
             args->dropout = {0.2f, 80, 1000};
             args->corruption = {CorruptionKind::kDropout, 0.3f, 77, 1000};
             args->sigmoid_output = true;
             args->weight_decay = 0.1f;
           }}};
}

struct PassResult {
  std::vector<float> gradient_atoms, gradient_bias, gradient_decoder_bias, running_mean;
  std::vector<int32_t> active_rows;
  std::vector<double> sums;
  double squared_error, penalty;
};

PassResult RunPass(Backend& backend, const RegularisedProblem& problem, RegularisedPassArgs args) {
  Floats atoms(backend, problem.atoms), bias(backend, problem.bias), decoder_bias(backend, problem.decoder_bias);
  Floats x(backend, problem.x), running_mean(backend, problem.running_mean);
  Floats gradient_atoms(backend, problem.atoms.size()), gradient_bias(backend, problem.bias.size());
  Floats gradient_decoder_bias(backend, problem.decoder_bias.size());
  Ints active(backend, std::vector<int32_t>(problem.units, 10));
  Doubles sums(backend, std::vector<double>(3 * problem.units, 5)), error(backend, 1), penalty(backend, 1);
  args.atoms = atoms.data();
  args.bias = bias.data();
  args.decoder_bias = decoder_bias.data();
  args.units = problem.units;
  args.width = problem.width;
  args.x = x.data();
  args.rows = problem.rows;
  args.sparsity.running_mean = running_mean.data();
  args.gradient_atoms = gradient_atoms.data();
  args.gradient_bias = gradient_bias.data();
  args.gradient_decoder_bias = gradient_decoder_bias.data();
  args.active_rows = active.data();
  args.activity_sums = sums.data();
  args.squared_error = error.data();
  args.penalty = penalty.data();
  EXPECT_EQ(backend.RegularisedPass(args), absl::OkStatus());
  return {gradient_atoms.Read(), gradient_bias.Read(), gradient_decoder_bias.Read(),
          running_mean.Read(),   active.Read(),        sums.Read(),
          error.Read()[0],       penalty.Read()[0]};
}

class RegularisedConformance : public Conformance {};

TEST_P(RegularisedConformance, FixedLengthsLeaveOutHowPenaltiesChangeWithThem) {
  for (const double bias : {0.1, -1.2}) {  // the sparse form of a pass too
    const RegularisedProblem problem = RandomRegularisedProblem(5, 7, 6, bias, 42);
    for (const Activation activation : kActivations) {
      SCOPED_TRACE(testing::Message() << "activation " << static_cast<int>(activation) << ", bias " << bias);
      RegularisedPassArgs args;
      args.activation = activation;
      args.contraction = 0.6f;
      args.marginal = 0.4f;
      const PassResult free = RunPass(*backend_, problem, args);
      args.fixed_lengths = true;
      const PassResult fixed = RunPass(*backend_, problem, args);
      EXPECT_EQ(fixed.gradient_bias, free.gradient_bias);
      EXPECT_EQ(fixed.gradient_decoder_bias, free.gradient_decoder_bias);
      EXPECT_EQ(fixed.penalty, free.penalty);
      double largest = 0;
      for (int64_t j = 0; j < problem.units; ++j) {
        const float* const atom = problem.atoms.data() + j * problem.width;
        double length2 = 0, squared_slopes = 0;
        for (int64_t d = 0; d < problem.width; ++d) length2 += double{atom[d]} * atom[d];
        for (int64_t i = 0; i < problem.rows; ++i) {
          double a = problem.bias[j];
          for (int64_t d = 0; d < problem.width; ++d) a += double{atom[d]} * problem.x[i * problem.width + d];
          squared_slopes += std::pow(ActivationAt(activation, a).slope, 2);
        }
        const double factor = (2 * 0.6 + 4 * 0.4 * length2) * squared_slopes / static_cast<double>(problem.rows);
        for (int64_t d = 0; d < problem.width; ++d) {
          const int64_t at = j * problem.width + d;
          EXPECT_NEAR(free.gradient_atoms[at] - fixed.gradient_atoms[at], factor * atom[d], 2e-5) << at;
          largest = std::max(largest, std::fabs(factor * atom[d]));
        }
      }
      EXPECT_GT(largest, 0.01);
    }
  }
}

TEST_P(RegularisedConformance, GradientsAreThoseOfTheLoss) {
  // Biases of -1.2 leave few ReLU units active: the sparse form of a pass.
  for (const double bias : {0.1, -1.2}) {
    const RegularisedProblem problem = RandomRegularisedProblem(5, 7, 6, bias, bias < 0 ? 42 : 31);
    for (const Activation activation : kActivations) {
      for (const Regulariser& regulariser : Regularisers()) {
        SCOPED_TRACE(testing::Message() << regulariser.name << ", activation " << static_cast<int>(activation)
                                        << ", bias " << bias);
        RegularisedPassArgs args;
        args.activation = activation;
        regulariser.set(&args);
        RegularisedOracle oracle(problem, args);
        if (activation == Activation::kReLU) {
          ASSERT_GT(oracle.FromKink(), 1e-3) << "the case is meant to be away from kinks";
        }
        const PassResult result = RunPass(*backend_, problem, args);
        EXPECT_NEAR(result.squared_error, oracle.SquaredError(), 1e-5 * oracle.SquaredError());
        EXPECT_NEAR(result.penalty, oracle.Penalty(), 1e-5 * (1 + std::abs(oracle.Penalty())));
        const auto check = [&](const char* name, const std::vector<float>& actual, std::vector<double>& parameters) {
          double largest = 0;
          for (size_t p = 0; p < parameters.size(); ++p) {
            constexpr double kH = 1e-5;
            const double kept = parameters[p];
            parameters[p] = kept + kH;
            const double above = oracle.Loss();
            parameters[p] = kept - kH;
            const double below = oracle.Loss();
            parameters[p] = kept;
            const double expected = (above - below) / (2 * kH);
            EXPECT_NEAR(actual[p], expected, 2e-5 * (1 + std::abs(expected))) << name << " " << p;
            largest = std::max(largest, std::abs(expected));
          }
          EXPECT_GT(largest, 0.02) << name;
        };
        check("atoms", result.gradient_atoms, oracle.atoms);
        check("bias", result.gradient_bias, oracle.bias);
        check("decoder bias", result.gradient_decoder_bias, oracle.decoder_bias);
      }
    }
  }
}

TEST_P(RegularisedConformance, PassesAgreeWithTheReference) {
  struct Size {
    int64_t rows, units, width;
  };
  // For an emulated device more than a tile of products, and more numbers than a block has threads.
  const std::vector<Size> large =
      emulated() ? std::vector<Size>{{67, 70, 33}, {3, 5, 300}} : std::vector<Size>{{50, 130, 64}, {7, 33, 700}};
  for (const Size& size : {Size{1, 1, 1}, Size{3, 17, 5}, large[0], large[1]}) {
    for (const double bias : {0.2, -1.5}) {
      const RegularisedProblem problem = RandomRegularisedProblem(size.rows, size.units, size.width, bias, 3);
      for (const Activation activation : kActivations) {
        for (const Regulariser& regulariser : Regularisers()) {
          SCOPED_TRACE(testing::Message() << regulariser.name << ", activation " << static_cast<int>(activation) << ", "
                                          << size.rows << " x " << size.units << " x " << size.width);
          RegularisedPassArgs args;
          args.activation = activation;
          regulariser.set(&args);
          const PassResult actual = RunPass(*backend_, problem, args);
          const PassResult expected = RunPass(*reference_, problem, args);
          const double large = 1 + std::sqrt(expected.squared_error);
          ExpectClose(actual.gradient_atoms, expected.gradient_atoms, 3e-5 * large, 1e-4);
          ExpectClose(actual.gradient_bias, expected.gradient_bias, 3e-5 * large, 1e-4);
          ExpectClose(actual.gradient_decoder_bias, expected.gradient_decoder_bias, 3e-5 * large, 1e-4);
          ExpectClose(actual.running_mean, expected.running_mean, 1e-5, 1e-5);
          EXPECT_EQ(actual.active_rows, expected.active_rows);
          for (size_t u = 0; u < actual.sums.size(); ++u) {
            ASSERT_NEAR(actual.sums[u], expected.sums[u], 1e-4 * (1 + std::abs(expected.sums[u])));
          }
          EXPECT_NEAR(actual.squared_error, expected.squared_error, 1e-4 * expected.squared_error);
          EXPECT_NEAR(actual.penalty, expected.penalty, 1e-4 * (1 + std::abs(expected.penalty)));
        }
      }
    }
  }
}

TEST_P(RegularisedConformance, ActivitiesAreCountedAboveTheThreshold) {
  RegularisedProblem problem = RandomRegularisedProblem(1, 3, 1, 0, 1);
  problem.x = {1};
  problem.atoms = {0, 0, 0};
  for (const Activation activation : kActivations) {
    // The second unit is just above, the third just below.
    const bool sigmoid = activation == Activation::kSigmoid;
    const double at = activation == Activation::kReLU ? 0 : sigmoid ? std::log(0.1 / 0.9) : std::log(std::expm1(0.1));
    problem.bias = {3, static_cast<float>(at + 1e-3), static_cast<float>(at - 1e-3)};
    RegularisedPassArgs args;
    args.activation = activation;
    const PassResult result = RunPass(*backend_, problem, args);
    EXPECT_EQ(result.active_rows, (std::vector<int32_t>{11, 11, 10}));  // on top of 10
    EXPECT_EQ(result.sums[6], 6);
    EXPECT_EQ(result.sums[8], 5);
    EXPECT_NEAR(result.sums[0], 5 + 3, 1e-6);
    EXPECT_NEAR(result.sums[3], 5 + 9, 1e-6);
  }
}

TEST_P(RegularisedConformance, ALossThatIsNotFiniteIsReported) {
  RegularisedProblem problem = RandomRegularisedProblem(2, 3, 4, 0, 1);
  problem.decoder_bias[0] = std::numeric_limits<float>::infinity();
  const PassResult result = RunPass(*backend_, problem, {});
  EXPECT_FALSE(std::isfinite(result.squared_error));
  EXPECT_EQ(result.active_rows, std::vector<int32_t>(3, 10));
}

TEST_P(RegularisedConformance, TheRunningMeanForgets) {
  RegularisedProblem problem = RandomRegularisedProblem(4, 6, 5, 0.2, 9);
  RegularisedPassArgs args;
  args.activation = Activation::kSigmoid;
  args.sparsity.weight = 1;
  args.sparsity.limit = 0.9f;
  args.sparsity.mean_decay = 0.75f;
  const std::vector<float> first = RunPass(*backend_, problem, args).running_mean;
  problem.running_mean.assign(6, 0.2f);
  const std::vector<float> later = RunPass(*backend_, problem, args).running_mean;
  for (int j = 0; j < 6; ++j) EXPECT_NEAR(later[j], 0.75 * 0.2 + 0.25 * first[j], 1e-6);
}

TEST_P(RegularisedConformance, AnOffsetChangesOnlyRounding) {
  for (const double bias : {0.4, -1.0}) {
    RegularisedProblem problem =
        emulated() ? RandomRegularisedProblem(20, 30, 97, bias, 13) : RandomRegularisedProblem(60, 130, 97, bias, 13);
    // Rows that were mostly zeros before the offset was subtracted.
    const std::vector<float> offset = Gaussians(97, 14, 0.2);
    Rng rng(15);
    for (size_t e = 0; e < problem.x.size(); ++e) {
      problem.x[e] = (rng.Uniform() < 0.2 ? problem.x[e] : 0.0f) - offset[e % 97];
    }
    for (const Activation activation : kActivations) {
      for (const Regulariser& regulariser : Regularisers()) {
        SCOPED_TRACE(testing::Message() << regulariser.name << ", activation " << static_cast<int>(activation)
                                        << ", bias " << bias);
        RegularisedPassArgs args;
        args.activation = activation;
        regulariser.set(&args);
        const PassResult expected = RunPass(*reference_, problem, args);
        Floats in_backend(*backend_, offset);
        args.offset = in_backend.data();
        const PassResult actual = RunPass(*backend_, problem, args);
        const double large = 1 + std::sqrt(expected.squared_error);
        ExpectClose(actual.gradient_atoms, expected.gradient_atoms, 3e-5 * large, 1e-4);
        ExpectClose(actual.gradient_bias, expected.gradient_bias, 3e-5 * large, 1e-4);
        ExpectClose(actual.gradient_decoder_bias, expected.gradient_decoder_bias, 3e-5 * large, 1e-4);
        EXPECT_NEAR(actual.squared_error, expected.squared_error, 1e-4 * expected.squared_error);
        EXPECT_NEAR(actual.penalty, expected.penalty, 1e-4 * (1 + std::abs(expected.penalty)));
      }
    }
  }
}

TEST_P(RegularisedConformance, ThreadsDoNotChangeAPass) {
  const RegularisedProblem problem =
      emulated() ? RandomRegularisedProblem(20, 66, 20, -0.5, 3) : RandomRegularisedProblem(50, 130, 64, -0.5, 3);
  const auto one_thread = MakeBackend(GetParam().name, 1);
  for (const Regulariser& regulariser : Regularisers()) {
    RegularisedPassArgs args;
    regulariser.set(&args);
    const PassResult actual = RunPass(*backend_, problem, args), expected = RunPass(*one_thread, problem, args);
    EXPECT_EQ(Bits(actual.gradient_atoms), Bits(expected.gradient_atoms)) << regulariser.name;
    EXPECT_EQ(Bits(actual.gradient_bias), Bits(expected.gradient_bias)) << regulariser.name;
    EXPECT_EQ(Bits(actual.gradient_decoder_bias), Bits(expected.gradient_decoder_bias)) << regulariser.name;
    EXPECT_EQ(actual.squared_error, expected.squared_error) << regulariser.name;
    EXPECT_EQ(actual.penalty, expected.penalty) << regulariser.name;
  }
}

TEST_P(RegularisedConformance, ActivitiesHaveTheSameBitsEverywhere) {
  const RegularisedProblem problem = RandomRegularisedProblem(70, 131, 97, 0, 5);
  for (const Activation activation : kActivations) {
    const auto run = [&](Backend& backend, int64_t first, int64_t rows, bool pre_activations = false) {
      Floats atoms(backend, problem.atoms), bias(backend, problem.bias), x(backend, problem.x);
      Floats output(backend, rows * problem.units);
      AffineActivationArgs args;
      args.atoms = atoms.data();
      args.bias = bias.data();
      args.units = problem.units;
      args.width = problem.width;
      args.x = x.data() + first * problem.width;
      args.rows = rows;
      args.activation = activation;
      args.pre_activations = pre_activations;
      args.output = output.data();
      EXPECT_EQ(backend.AffineActivation(args), absl::OkStatus());
      return output.Read();
    };
    const std::vector<float> all = run(*backend_, 0, 70);
    const std::vector<float> expected = run(*reference_, 0, 70);
    if (activation == Activation::kReLU || backend_->host_accessible()) {
      EXPECT_EQ(Bits(all), Bits(expected));
    } else {  // a device has an exp of its own
      for (size_t e = 0; e < all.size(); ++e) EXPECT_NEAR(all[e], expected[e], 1e-6 * (1 + std::abs(expected[e])));
    }
    EXPECT_EQ(Bits(run(*backend_, 66, 1)),
              Bits(std::vector<float>(all.begin() + 66 * problem.units, all.begin() + 67 * problem.units)));
    EXPECT_TRUE(run(*backend_, 0, 0).empty());
    const float a = simd::FixedOrderDot(problem.x.data(), problem.atoms.data(), problem.width) + problem.bias[0];
    const std::vector<float> sums = run(*backend_, 0, 70, true);
    EXPECT_EQ(Bits(sums), Bits(run(*reference_, 0, 70, true)));
    EXPECT_EQ(sums[0], a);
    const double s = activation == Activation::kReLU      ? std::max(a, 0.0f)
                     : activation == Activation::kSigmoid ? 1 / (1 + std::exp(-double{a}))
                                                          : std::log1p(std::exp(double{a}));
    EXPECT_NEAR(all[0], s, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, RegularisedConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::regularised_conformance_test
