#include "core/backends/reference/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/backends/host_backend.h"
#include "core/backends/reference/active_gradient.h"
#include "core/backends/reference/exact_top_k.h"
#include "core/backends/reference/regularised_operations.h"
#include "core/backends/reference/winner_operations.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

class ReferenceBackend final : public HostBackend {
 public:
  const char* name() const override { return "reference"; }
  int threads() const override { return 1; }

  absl::StatusOr<std::unique_ptr<Dictionary>> PrepareDictionary(const float* atoms, const float* bias, int64_t units,
                                                                int64_t width) override {
    return std::make_unique<Dictionary>(atoms, bias, units, width);
  }
  absl::Status RefreshDictionary(Dictionary&) override { return absl::OkStatus(); }

  absl::Status Gemm(const GemmArgs& args) override {
    for (int64_t i = 0; i < args.m; ++i) {
      for (int64_t j = 0; j < args.n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < args.k; ++p) {
          const float b = args.transpose_b ? args.b[j * args.k + p] : args.b[p * args.n + j];
          sum += static_cast<double>(args.a[i * args.k + p]) * b;
        }
        args.c[i * args.n + j] = static_cast<float>(sum);
      }
    }
    return absl::OkStatus();
  }

  absl::Status AffineTopK(const AffineTopKArgs& args) override {
    const Dictionary& dictionary = *args.dictionary;
    std::vector<float> scores(static_cast<size_t>(dictionary.units));
    std::vector<float> converted(static_cast<size_t>(args.x == nullptr ? dictionary.width : 0));
    for (int64_t i = 0; i < args.rows; ++i) {
      const float* x = args.x + i * dictionary.width;
      if (args.x == nullptr) {
        const uint8_t* bytes = args.bytes + i * dictionary.width;
        for (int64_t d = 0; d < dictionary.width; ++d) converted[d] = static_cast<float>(bytes[d]) / args.divisor;
        x = converted.data();
      }
      ExactScores(dictionary, x, scores.data());
      ExactTopK(scores.data(), dictionary.units, args.k, args.indices + i * args.k, args.values + i * args.k);
    }
    return absl::OkStatus();
  }

  absl::Status SparseResidual(const SparseResidualArgs& args) override {
    double squared_sum = 0;
    for (int64_t i = 0; i < args.rows; ++i) {
      for (int64_t d = 0; d < args.width; ++d) {
        double sum = args.bias != nullptr ? args.bias[d] : 0.0;
        for (int64_t e = i * args.k; e < (i + 1) * args.k; ++e) {
          sum += static_cast<double>(args.values[e]) * args.atoms[args.indices[e] * args.width + d];
        }
        if (args.target != nullptr) sum -= args.target[i * args.width + d];
        const float output = static_cast<float>(sum);
        args.output[i * args.width + d] = output;
        squared_sum += static_cast<double>(output) * output;
      }
    }
    if (args.squared_sum != nullptr) *args.squared_sum = squared_sum;
    return absl::OkStatus();
  }

  absl::Status SparseGradient(const SparseGradientArgs& args) override {
    const int64_t width = args.width;
    const double twice_scale = 2.0 * args.scale;
    std::fill_n(args.active_rows, args.units, 0);
    std::fill_n(args.gradient_bias, args.units, 0.0f);
    std::vector<double> gradient_bias(static_cast<size_t>(args.units));
    std::vector<double> gradient_atoms(static_cast<size_t>(args.units * width));
    std::vector<double> gradient_decoder_bias(static_cast<size_t>(width));
    for (int64_t i = 0; i < args.rows; ++i) {
      const float* x = args.x + i * width;
      const float* residual = args.residual + i * width;
      for (int64_t e = i * args.k; e < (i + 1) * args.k; ++e) {
        const int64_t unit = args.indices[e];
        double product = 0;
        for (int64_t d = 0; d < width; ++d) product += static_cast<double>(residual[d]) * args.atoms[unit * width + d];
        const double dz = twice_scale * product;
        for (int64_t d = 0; d < width; ++d) {
          gradient_atoms[unit * width + d] += twice_scale * args.values[e] * residual[d] + dz * x[d];
        }
        gradient_bias[unit] += dz;
        ++args.active_rows[unit];
      }
      for (int64_t d = 0; d < width; ++d) gradient_decoder_bias[d] += twice_scale * residual[d];
    }
    for (int64_t unit = 0; unit < args.units; ++unit) {
      if (args.active_rows[unit] == 0) continue;
      args.gradient_bias[unit] = static_cast<float>(gradient_bias[unit]);
      for (int64_t d = 0; d < width; ++d) {
        args.gradient_atoms[unit * width + d] = static_cast<float>(gradient_atoms[unit * width + d]);
      }
    }
    for (int64_t d = 0; d < width; ++d) args.gradient_decoder_bias[d] = static_cast<float>(gradient_decoder_bias[d]);
    return absl::OkStatus();
  }

  absl::Status ActiveGradient(const ActiveGradientArgs& args) override {
    ReferenceActiveGradient(args);
    return absl::OkStatus();
  }

  absl::Status MomentumUpdate(const MomentumUpdateArgs& args) override {
    for (int64_t r = 0; r < args.rows; ++r) {
      float* parameter = args.parameter + r * args.width;
      float* velocity = args.velocity + r * args.width;
      const bool has_gradient = args.active_rows == nullptr || args.active_rows[r] != 0;
      double squared_norm = 0;
      for (int64_t d = 0; d < args.width; ++d) {
        const double gradient = has_gradient ? args.gradient[r * args.width + d] : 0.0;
        velocity[d] = static_cast<float>(static_cast<double>(args.momentum) * velocity[d] - args.rate * gradient);
        if (std::abs(velocity[d]) < std::numeric_limits<float>::min()) velocity[d] = 0;
        parameter[d] += velocity[d];
        squared_norm += static_cast<double>(parameter[d]) * parameter[d];
      }
      const double factor = LengthFactor(args, squared_norm);
      if (factor == 1) continue;
      for (int64_t d = 0; d < args.width; ++d) parameter[d] = static_cast<float>(parameter[d] * factor);
    }
    return absl::OkStatus();
  }

  absl::Status AdamUpdate(const AdamUpdateArgs& args) override {
    ReferenceAdamUpdate(args);
    return absl::OkStatus();
  }
  absl::Status ConvWinners(const ConvWinnersArgs& args) override {
    ReferenceConvWinners(args);
    return absl::OkStatus();
  }
  absl::Status WinnerResidual(const WinnerResidualArgs& args) override {
    ReferenceWinnerResidual(args);
    return absl::OkStatus();
  }
  absl::Status WinnerGradient(const WinnerGradientArgs& args) override {
    ReferenceWinnerGradient(args);
    return absl::OkStatus();
  }
  absl::Status ConvPool(const ConvPoolArgs& args) override {
    ReferenceConvPool(args);
    return absl::OkStatus();
  }
  absl::Status AffineActivation(const AffineActivationArgs& args) override {
    ReferenceAffineActivation(args);
    return absl::OkStatus();
  }
  absl::Status RegularisedPass(const RegularisedPassArgs& args) override {
    ReferenceRegularisedPass(args);
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<std::shared_ptr<Backend>> CreateReferenceBackend(const BackendOptions& options) {
  KWTA_RETURN_IF_ERROR(CheckSettings("reference", options, {}));
  return std::make_shared<ReferenceBackend>();
}

}  // namespace kwta
