// AffineActivation and RegularisedPass of every backend; and the formulas themselves, by finite differences.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/simd/fixed_order_dot.h"
#include "tests/core/backends/conformance.h"

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

struct Problem {
  int64_t rows, units, width;
  std::vector<float> atoms, bias, decoder_bias, x, running_mean;
};

Problem RandomProblem(int64_t rows, int64_t units, int64_t width, double bias, uint64_t seed) {
  Problem problem{rows, units, width, {}, {}, {}, {}, {}};
  problem.atoms = Gaussians(units * width, seed, 1 / std::sqrt(static_cast<double>(width)));
  problem.bias = Gaussians(units, seed + 1, 0.3);
  for (float& each : problem.bias) each += static_cast<float>(bias);
  problem.decoder_bias = Gaussians(width, seed + 2, 0.3);
  problem.x = Gaussians(rows * width, seed + 3);
  problem.running_mean.assign(units, -1.0f);
  return problem;
}

struct PassResult {
  std::vector<float> gradient_atoms, gradient_bias, gradient_decoder_bias, running_mean;
  std::vector<int32_t> active_rows;
  std::vector<double> sums;
  double squared_error, penalty;
};

PassResult RunPass(Backend& backend, const Problem& problem, RegularisedPassArgs args) {
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

// The loss as the paper writes it, in binary64, with derivatives of s by hand.
class Oracle {
 public:
  Oracle(const Problem& problem, const RegularisedPassArgs& args)
      : args_(args),
        rows_(problem.rows),
        units_(problem.units),
        width_(problem.width),
        atoms(problem.atoms.begin(), problem.atoms.end()),
        bias(problem.bias.begin(), problem.bias.end()),
        decoder_bias(problem.decoder_bias.begin(), problem.decoder_bias.end()),
        x_(problem.x) {
    corrupted_.resize(x_.size());
    factors_.assign(rows_ * units_, 1.0f);
    for (int64_t i = 0; i < rows_; ++i) {
      if (args.dropout.probability > 0) DrawDropout(args.dropout, i, units_, factors_.data() + i * units_);
      CorruptRow(args.corruption, i, x_.data() + i * width_, width_, corrupted_.data() + i * width_);
    }
  }

  double S(double a) const {
    if (args_.activation == Activation::kReLU) return a > 0 ? a : 0;
    if (args_.activation == Activation::kSigmoid) return 1 / (1 + std::exp(-a));
    return std::log(1 + std::exp(a));
  }
  double Slope(double a) const {
    if (args_.activation == Activation::kReLU) return a > 0 ? 1 : 0;
    const double sigmoid = 1 / (1 + std::exp(-a));
    return args_.activation == Activation::kSigmoid ? sigmoid * (1 - sigmoid) : sigmoid;
  }
  std::vector<double> PreActivations(const float* row) const {
    std::vector<double> a(bias);
    for (int64_t j = 0; j < units_; ++j) {
      for (int64_t d = 0; d < width_; ++d) a[j] += atoms[j * width_ + d] * row[d];
    }
    return a;
  }
  // The smallest distance of a pre-activation from the kink of ReLU.
  double FromKink() const {
    double least = 1e9;
    const std::vector<float>& seen = args_.first_order ? x_ : corrupted_;
    for (int64_t i = 0; i < rows_; ++i) {
      for (const double a : PreActivations(seen.data() + i * width_)) least = std::min(least, std::abs(a));
    }
    return least;
  }

  double SquaredError() const {
    double sum = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      for (const double r : Residual(i)) sum += r * r;
    }
    return sum;
  }

  double Penalty() const {
    double sum = 0;
    std::vector<double> mean(units_);
    for (int64_t i = 0; i < rows_; ++i) {
      const std::vector<double> a = PreActivations(Seen(i));
      for (int64_t j = 0; j < units_; ++j) {
        double length2 = 0;
        for (int64_t d = 0; d < width_; ++d) length2 += atoms[j * width_ + d] * atoms[j * width_ + d];
        const double slope = Slope(a[j]);
        sum += slope * slope * (args_.contraction * length2 + args_.marginal * length2 * length2) / Rows();
        mean[j] += S(a[j]) / Rows();
      }
      if (!args_.first_order) continue;
      // (x~ - x)' grad l, the gradient with respect to the input: -2 (x - y)' dy/dx.
      const std::vector<double> r = Residual(i);
      for (int64_t d = 0; d < width_; ++d) {
        double derivative = 0;
        for (int64_t j = 0; j < units_; ++j) {
          for (int64_t o = 0; o < width_; ++o) {
            derivative += 2 * r[o] * atoms[j * width_ + o] * Slope(a[j]) * atoms[j * width_ + d];
          }
        }
        sum += (double{corrupted_[i * width_ + d]} - x_[i * width_ + d]) * derivative / Rows();
      }
    }
    if (args_.sparsity.weight == 0) return sum;
    const double target = args_.sparsity.target, limit = args_.sparsity.limit;
    const auto f = [target](double rho) {
      if (target == 0) return -std::log(1 - rho);
      return target * std::log(target / rho) + (1 - target) * std::log((1 - target) / (1 - rho));
    };
    for (const double rho : mean) {
      // The tangent at the nearer end of the range.
      const double end = std::min(std::max(rho, target / 1000), limit);
      const double slope = target == 0 ? 1 / (1 - end) : (1 - target) / (1 - end) - target / end;
      sum += args_.sparsity.weight * (rho == end ? f(rho) : f(end) + slope * (rho - end));
    }
    return sum;
  }

  double Loss() const {
    double decay = 0;
    for (const double weight : atoms) decay += weight * weight;
    return (args_.sigmoid_output ? CrossEntropy() : SquaredError()) / Rows() + Penalty() +
           0.5 * args_.weight_decay * decay;
  }

 private:
  double Rows() const { return static_cast<double>(rows_); }
  const float* Seen(int64_t i) const { return (args_.first_order ? x_ : corrupted_).data() + i * width_; }
  // W'h + b' of row i, with the activities that dropout leaves.
  std::vector<double> Outputs(int64_t i) const {
    const std::vector<double> a = PreActivations(Seen(i));
    std::vector<double> y(decoder_bias);
    for (int64_t j = 0; j < units_; ++j) {
      const double h = factors_[i * units_ + j] * S(a[j]);
      for (int64_t d = 0; d < width_; ++d) y[d] += h * atoms[j * width_ + d];
    }
    return y;
  }
  std::vector<double> Residual(int64_t i) const {
    std::vector<double> r = Outputs(i);
    for (int64_t d = 0; d < width_; ++d) {
      if (args_.sigmoid_output) r[d] = 1 / (1 + std::exp(-r[d]));
      r[d] -= x_[i * width_ + d];
    }
    return r;
  }
  double CrossEntropy() const {
    double sum = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      const std::vector<double> outputs = Outputs(i);
      for (int64_t d = 0; d < width_; ++d) {
        const double y = 1 / (1 + std::exp(-outputs[d])), x = x_[i * width_ + d];
        sum -= x * std::log(y) + (1 - x) * std::log(1 - y);
      }
    }
    return sum;
  }

  const RegularisedPassArgs args_;
  const int64_t rows_, units_, width_;

 public:
  std::vector<double> atoms, bias, decoder_bias;

 private:
  const std::vector<float> x_;
  std::vector<float> corrupted_, factors_;
};

class RegularisedConformance : public Conformance {};

TEST_P(RegularisedConformance, GradientsAreThoseOfTheLoss) {
  // Biases of -1.2 leave few ReLU units active: the sparse form of a pass.
  for (const double bias : {0.1, -1.2}) {
    const Problem problem = RandomProblem(5, 7, 6, bias, bias < 0 ? 41 : 31);
    for (const Activation activation : kActivations) {
      for (const Regulariser& regulariser : Regularisers()) {
        SCOPED_TRACE(testing::Message() << regulariser.name << ", activation " << static_cast<int>(activation)
                                        << ", bias " << bias);
        RegularisedPassArgs args;
        args.activation = activation;
        regulariser.set(&args);
        Oracle oracle(problem, args);
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
  for (const Size& size : {Size{1, 1, 1}, Size{3, 17, 5}, Size{50, 130, 64}, Size{7, 33, 700}}) {
    for (const double bias : {0.2, -1.5}) {
      const Problem problem = RandomProblem(size.rows, size.units, size.width, bias, 3);
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
  Problem problem = RandomProblem(1, 3, 1, 0, 1);
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
  Problem problem = RandomProblem(2, 3, 4, 0, 1);
  problem.decoder_bias[0] = std::numeric_limits<float>::infinity();
  const PassResult result = RunPass(*backend_, problem, {});
  EXPECT_FALSE(std::isfinite(result.squared_error));
  EXPECT_EQ(result.active_rows, std::vector<int32_t>(3, 10));
}

TEST_P(RegularisedConformance, TheRunningMeanForgets) {
  Problem problem = RandomProblem(4, 6, 5, 0.2, 9);
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

TEST_P(RegularisedConformance, ThreadsDoNotChangeAPass) {
  const Problem problem = RandomProblem(50, 130, 64, -0.5, 3);
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
  const Problem problem = RandomProblem(70, 131, 97, 0, 5);
  for (const Activation activation : kActivations) {
    const auto run = [&](Backend& backend, int64_t first, int64_t rows) {
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
      args.output = output.data();
      EXPECT_EQ(backend.AffineActivation(args), absl::OkStatus());
      return output.Read();
    };
    const std::vector<float> all = run(*backend_, 0, 70);
    EXPECT_EQ(Bits(all), Bits(run(*reference_, 0, 70)));
    EXPECT_EQ(Bits(run(*backend_, 66, 1)),
              Bits(std::vector<float>(all.begin() + 66 * problem.units, all.begin() + 67 * problem.units)));
    EXPECT_TRUE(run(*backend_, 0, 0).empty());
    const float a = simd::FixedOrderDot(problem.x.data(), problem.atoms.data(), problem.width) + problem.bias[0];
    const double s = activation == Activation::kReLU      ? std::max(a, 0.0f)
                     : activation == Activation::kSigmoid ? 1 / (1 + std::exp(-double{a}))
                                                          : std::log1p(std::exp(double{a}));
    EXPECT_NEAR(all[0], s, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, RegularisedConformance, testing::ValuesIn(AllBackendCases()), CaseName);

TEST(Activation, IsDefinedFarFromZero) {
  for (const float a : {-1e30f, -200.0f, 200.0f, 1e30f}) {
    const auto sigmoid = ActivationAt(Activation::kSigmoid, a), softplus = ActivationAt(Activation::kSoftplus, a);
    EXPECT_EQ(sigmoid.value, a > 0 ? 1 : 0);
    EXPECT_EQ(sigmoid.slope, 0);
    EXPECT_EQ(softplus.value, std::max(a, 0.0f));
    EXPECT_EQ(softplus.slope, a > 0 ? 1 : 0);
  }
}

TEST(Corruption, HasTheStatisticsItPromises) {
  constexpr int64_t kWidth = 100'000;
  std::vector<float> x(kWidth, 2.0f), noisy(kWidth), masked(kWidth);
  CorruptRow({CorruptionKind::kGaussian, 0.09f, 5, 0}, 3, x.data(), kWidth, noisy.data());
  double sum = 0, squares = 0, product = 0;
  for (int64_t d = 0; d < kWidth; ++d) {
    const double e = noisy[d] - 2.0;
    sum += e;
    squares += e * e;
    if (d > 0) product += e * (noisy[d - 1] - 2.0);
  }
  // Five standard errors.
  EXPECT_NEAR(sum / kWidth, 0, 5 * 0.3 / std::sqrt(kWidth));
  EXPECT_NEAR(squares / kWidth, 0.09, 5 * 0.09 * std::sqrt(2.0 / kWidth));
  EXPECT_NEAR(product / kWidth, 0, 5 * 0.09 / std::sqrt(kWidth));
  CorruptRow({CorruptionKind::kMasking, 0.3f, 5, 0}, 3, x.data(), kWidth, masked.data());
  const auto hidden = std::count(masked.begin(), masked.end(), 0.0f);
  EXPECT_EQ(hidden + std::count(masked.begin(), masked.end(), 2.0f), kWidth);
  EXPECT_NEAR(static_cast<double>(hidden) / kWidth, 0.3, 5 * std::sqrt(0.21 / kWidth));
}

TEST(Dropout, HasTheStatisticsItPromises) {
  constexpr int64_t kUnits = 100'000;
  for (const float probability : {0.5f, 0.2f}) {
    std::vector<float> factors(kUnits);
    DrawDropout({probability, 5, 0}, 3, kUnits, factors.data());
    const float kept = 1 / (1 - probability);
    double dropped = 0, both = 0;
    for (int64_t j = 0; j < kUnits; ++j) {
      if (factors[j] != 0) {
        ASSERT_NEAR(factors[j], kept, 1e-6);
      }
      dropped += factors[j] == 0;
      both += j > 0 && factors[j] == 0 && factors[j - 1] == 0;
    }
    // Five standard errors. Neighbours are independent.
    EXPECT_NEAR(dropped / kUnits, probability, 5 * std::sqrt(probability * (1 - probability) / kUnits));
    EXPECT_NEAR(both / kUnits, probability * probability, 5 * std::sqrt(2.0 * probability / kUnits));
  }
  // A unit is dropped independently from row to row, and rows of a batch are those of the run.
  std::vector<float> row(1), later(1);
  int dropped = 0, twice = 0;
  constexpr int kRows = 40'000;
  float last = 1;
  for (int i = 0; i < kRows; ++i) {
    DrawDropout({0.5f, 6, 0}, i, 1, row.data());
    DrawDropout({0.5f, 6, static_cast<uint64_t>(i)}, 0, 1, later.data());
    ASSERT_EQ(row, later);
    dropped += row[0] == 0;
    twice += row[0] == 0 && last == 0;
    last = row[0];
  }
  EXPECT_NEAR(dropped / double{kRows}, 0.5, 5 * 0.5 / std::sqrt(kRows));
  EXPECT_NEAR(twice / double{kRows}, 0.25, 5 * std::sqrt(0.19 / kRows) * 1.5);
  std::vector<float> one(100), other(100);
  DrawDropout({0.5f, 6, 0}, 0, 100, one.data());
  DrawDropout({0.5f, 7, 0}, 0, 100, other.data());
  EXPECT_NE(one, other);
}

TEST(Dropout, OfInputsKeepsTheirMean) {
  constexpr int64_t kWidth = 100'000;
  std::vector<float> x(kWidth, 2.0f);
  CorruptRow({CorruptionKind::kDropout, 0.2f, 5, 0}, 3, x.data(), kWidth, x.data());
  EXPECT_EQ(std::count(x.begin(), x.end(), 0.0f) + std::count(x.begin(), x.end(), 2.5f), kWidth);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 0.0f)) / kWidth, 0.2, 5 * std::sqrt(0.16 / kWidth));
}

TEST(Corruption, DependsOnTheRowOfTheRunAlone) {
  const std::vector<float> x(10, 1.0f);
  const auto row = [&x](uint64_t seed, uint64_t first, int64_t i) {
    std::vector<float> out(10);
    CorruptRow({CorruptionKind::kGaussian, 1, seed, first}, i, x.data(), 10, out.data());
    return out;
  };
  EXPECT_EQ(row(1, 100, 7), row(1, 104, 3));
  EXPECT_NE(row(1, 100, 7), row(1, 100, 8));
  EXPECT_NE(row(1, 100, 7), row(2, 100, 7));
  std::vector<float> same(10);
  CorruptRow({CorruptionKind::kMasking, 0, 1, 0}, 0, x.data(), 10, same.data());
  EXPECT_EQ(same, x);
}

}  // namespace
}  // namespace kwta::regularised_conformance_test
