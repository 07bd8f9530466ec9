#include "core/backends/onednn/onednn_backend.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/host_backend.h"
#include "core/backends/onednn/codes/affine_top_k.h"
#include "core/backends/onednn/codes/bf16_atoms.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/codes/filter_choice.h"
#include "core/backends/onednn/regularised/affine_activation.h"
#include "core/backends/onednn/regularised/regularised_pass.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/support/flush_subnormals.h"
#include "core/backends/onednn/support/sparse_gemm.h"
#include "core/backends/onednn/support/tiled_gemm.h"
#include "core/backends/onednn/tied/active_gradient.h"
#include "core/backends/onednn/tied/sparse_gradient.h"
#include "core/backends/onednn/tied/tied_training.h"
#include "core/backends/onednn/winners/conv_pool.h"
#include "core/backends/onednn/winners/conv_winners.h"
#include "core/backends/onednn/winners/winner_decode.h"
#include "core/backends/onednn/winners/winner_gradient.h"
#include "core/backends/onednn/winners/winner_pass.h"
#include "core/base/cpu.h"
#include "core/base/status_macros.h"
#include "core/simd/adam.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn {
namespace {

// A thread is worth waking for this many elements, in loops that only read and write them.
constexpr int64_t kGrainElements = 16384;

class OnednnBackend final : public HostBackend {
 public:
  OnednnBackend(int threads, simd::InstructionSet set, support::Filter filter) : context_(threads, set, filter) {}

  const char* name() const override { return "onednn"; }
  int threads() const override { return context_.pool.threads(); }

  absl::StatusOr<std::unique_ptr<Dictionary>> PrepareDictionary(const float* atoms, const float* bias, int64_t units,
                                                                int64_t width) override {
    auto dictionary = std::make_unique<codes::PreparedDictionary>(atoms, bias, units, width);
    if (context_.filter == support::Filter::kMeasured) {
      KWTA_RETURN_IF_ERROR(codes::ChooseFilter(context_, dictionary.get()));
    } else {
      dictionary->set_filter(context_.filter);
    }
    KWTA_RETURN_IF_ERROR(dictionary->Refresh(context_));
    return dictionary;
  }
  absl::Status RefreshDictionary(Dictionary& dictionary) override {
    return static_cast<codes::PreparedDictionary&>(dictionary).Refresh(context_);
  }

  absl::Status Gemm(const GemmArgs& args) override {
    if (args.sparse_a) {
      KWTA_ASSIGN_OR_RETURN(const bool done, support::SparseGemm(context_, args));
      if (done) return absl::OkStatus();
    }
    support::DnnlGemmArgs whole;
    whole.a = args.a;
    whole.lda = args.k;
    whole.b = args.b;
    whole.ldb = args.transpose_b ? args.k : args.n;
    whole.transpose_b = args.transpose_b;
    whole.c = args.c;
    whole.ldc = args.n;
    whole.m = args.m;
    whole.n = args.n;
    whole.k = args.k;
    return support::TiledGemm(context_, whole);
  }

  absl::Status AffineTopK(const AffineTopKArgs& args) override { return codes::AffineTopK(context_, args); }

  absl::Status SparseResidual(const SparseResidualArgs& args) override {
    std::vector<std::vector<const float*>> active(static_cast<size_t>(context_.pool.threads()));
    std::vector<double> row_sums(args.squared_sum != nullptr ? static_cast<size_t>(args.rows) : 0);
    context_.pool.ParallelFor(args.rows, RowGrain(args.width * args.k), [&](int64_t begin, int64_t end, int thread) {
      std::vector<const float*>& atoms = active[thread];
      atoms.resize(static_cast<size_t>(args.k));
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t j = 0; j < args.k; ++j) atoms[j] = args.atoms + args.indices[i * args.k + j] * args.width;
        float* output = args.output + i * args.width;
        context_.rows.weighted_sum(args.bias, atoms.data(), args.values + i * args.k, args.k, args.width, output);
        if (args.target != nullptr) context_.rows.subtract(args.target + i * args.width, args.width, output);
        if (args.squared_sum != nullptr) row_sums[i] = context_.rows.squared_norm(output, args.width);
      }
    });
    if (args.squared_sum != nullptr) {
      *args.squared_sum = 0;
      for (double sum : row_sums) *args.squared_sum += sum;
    }
    return absl::OkStatus();
  }

  absl::Status SparseGradient(const SparseGradientArgs& args) override { return tied::SparseGradient(context_, args); }

  absl::Status ActiveGradient(const ActiveGradientArgs& args) override { return tied::ActiveGradient(context_, args); }

  absl::Status MomentumUpdate(const MomentumUpdateArgs& args) override {
    context_.pool.ParallelFor(args.rows, RowGrain(args.width), [&](int64_t begin, int64_t end, int) {
      // The velocity of a unit that is never active decays into subnormal numbers and would stay there.
      const support::FlushSubnormals flush;
      for (int64_t r = begin; r < end; ++r) {
        const bool has_gradient = args.active_rows == nullptr || args.active_rows[r] != 0;
        float* const parameter = args.parameter + r * args.width;
        float* const velocity = args.velocity + r * args.width;
        const float* const gradient = has_gradient ? args.gradient + r * args.width : nullptr;
        if (!args.unit_norm && args.max_norm == 0) {
          context_.rows.momentum(parameter, velocity, gradient, args.width, args.rate, args.momentum);
          continue;
        }
        const double factor = LengthFactor(
            args,
            context_.rows.momentum_with_norm(parameter, velocity, gradient, args.width, args.rate, args.momentum));
        if (factor != 1) context_.rows.scale(factor, parameter, args.width);
      }
    });
    return absl::OkStatus();
  }

  absl::Status AdamUpdate(const AdamUpdateArgs& args) override {
    const simd::AdamStep step = simd::AdamStepAt(args.step, args.rate, args.beta1, args.beta2, args.epsilon);
    context_.pool.ParallelFor(args.size, kGrainElements, [&](int64_t begin, int64_t end, int) {
      // Moments of parameters without a gradient decay into subnormal numbers.
      const support::FlushSubnormals flush;
      adam_.update(step, args.gradient + begin, end - begin, args.first + begin, args.second + begin,
                   args.parameter + begin);
    });
    return absl::OkStatus();
  }
  absl::Status ConvWinners(const ConvWinnersArgs& args) override {
    return winners::ConvWinners(context_, convolution_rows_, args);
  }
  absl::Status WinnerResidual(const WinnerResidualArgs& args) override {
    return winners::WinnerResidual(context_, patch_kernels_, args);
  }
  absl::Status WinnerGradient(const WinnerGradientArgs& args) override {
    return winners::WinnerGradient(context_, patch_kernels_, args);
  }
  absl::Status WinnerPass(const WinnerPassArgs& args) override {
    if (winners::WinnerPassCall::Suits(context_, args)) {
      KWTA_ASSIGN_OR_RETURN(const bool done, winners::WinnerPassCall(context_, patch_kernels_, args).Run());
      if (done) return absl::OkStatus();
    }
    return HostBackend::WinnerPass(args);
  }
  absl::Status ConvPool(const ConvPoolArgs& args) override {
    return winners::ConvPool(context_, convolution_rows_, args);
  }
  absl::Status AffineActivation(const AffineActivationArgs& args) override {
    return regularised::AffineActivation(context_, args);
  }
  absl::Status RegularisedPass(const RegularisedPassArgs& args) override {
    return regularised::RegularisedPass(context_, args);
  }
  absl::StatusOr<std::unique_ptr<TiedDictionary>> PrepareTiedDictionary(const TiedParameters& parameters) override {
    return std::make_unique<tied::DictionaryInTraining>(context_, parameters);
  }
  absl::Status RefreshTiedDictionary(TiedDictionary& dictionary) override {
    tied::RefreshTiedDictionary(static_cast<tied::DictionaryInTraining&>(dictionary));
    return absl::OkStatus();
  }
  absl::Status TiedStep(const TiedStepArgs& args) override { return tied::TiedStep(context_, args); }
  absl::Status TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) override {
    return tied::TiedAuxiliaryStep(*this, context_, args);
  }
  absl::Status TiedAtoms(const TiedAtomsArgs& args) override { return tied::TiedAtoms(context_, args); }

 private:
  // Rows in a range, if each costs `elements`.
  static int64_t RowGrain(int64_t elements) {
    return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, elements));
  }

  support::Context context_;
  const simd::AdamKernels& adam_ = simd::AdamKernelsFor(context_.instruction_set);
  const winners::PatchKernels& patch_kernels_ = winners::PatchKernelsFor(context_.instruction_set);
  const winners::ConvolutionRowKernels& convolution_rows_ = winners::ConvolutionRowKernelsFor(context_.instruction_set);
};

// Returns a setting, or the environment variable if there is none.
std::string Chosen(const BackendOptions& options, const char* setting, const char* variable) {
  const auto found = options.settings.find(setting);
  if (found != options.settings.end()) return found->second;
  const char* value = std::getenv(variable);
  return value != nullptr ? value : "";
}

absl::StatusOr<simd::InstructionSet> ChooseInstructionSet(const std::string& name) {
  const std::vector<simd::InstructionSet> available = simd::AvailableInstructionSets();
  if (name.empty()) return available.front();
  std::string names;
  for (const simd::InstructionSet set : available) {
    if (name == simd::InstructionSetName(set)) return set;
    absl::StrAppend(&names, names.empty() ? "" : ", ", simd::InstructionSetName(set));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no instruction set \"", name, "\" here; this processor has ", names));
}

absl::StatusOr<support::Filter> ChooseFilter(const std::string& name) {
  if (name.empty()) return support::Filter::kMeasured;
  if (name == "int8") return support::Filter::kBytes;
  if (name == "fp32") return support::Filter::kFloats;
  if (name == "bf16" && codes::Bf16Atoms::Available()) return support::Filter::kBf16;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no filter \"", name, "\" here; expected int8, fp32 or, from AVX-512 on, bf16"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendOptions& options) {
  KWTA_RETURN_IF_ERROR(CheckSettings("onednn", options, {"instruction_set", "filter"}));
  KWTA_ASSIGN_OR_RETURN(const simd::InstructionSet set,
                        ChooseInstructionSet(Chosen(options, "instruction_set", simd::kForcedInstructionSet)));
  KWTA_ASSIGN_OR_RETURN(const support::Filter filter, ChooseFilter(Chosen(options, "filter", "KWTA_FORCE_FILTER")));
  return std::make_shared<OnednnBackend>(ResolveThreads(options.threads), set, filter);
}

}  // namespace kwta::onednn
