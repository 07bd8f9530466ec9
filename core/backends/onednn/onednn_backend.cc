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
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/support/dnnl_gemm.h"
#include "core/backends/onednn/support/first_error.h"
#include "core/backends/onednn/support/flush_subnormals.h"
#include "core/backends/onednn/tied/active_gradient.h"
#include "core/backends/onednn/tied/sparse_gradient.h"
#include "core/backends/onednn/tied/tied_training.h"
#include "core/backends/onednn/winners/conv_pool.h"
#include "core/backends/onednn/winners/conv_winners.h"
#include "core/backends/onednn/winners/winner_decode.h"
#include "core/backends/onednn/winners/winner_gradient.h"
#include "core/backends/onednn/winners/winner_pass.h"
#include "core/base/cpu.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

// Tiles of Gemm. They do not depend on the number of threads, because the library's order of summation may depend on
// them.
constexpr int64_t kGemmTileRows = 128;
constexpr int64_t kGemmTileColumns = 512;

// Elements that are worth waking a thread for, in loops that only read and write them.
constexpr int64_t kGrainElements = 16384;

class OnednnBackend final : public HostBackend {
 public:
  OnednnBackend(int threads, InstructionSet set, ByteProduct product, Filter filter)
      : context_(threads, set, product, filter) {}

  const char* name() const override { return "onednn"; }
  int threads() const override { return context_.pool.threads(); }

  absl::StatusOr<std::unique_ptr<Dictionary>> PrepareDictionary(const float* atoms, const float* bias, int64_t units,
                                                                int64_t width) override {
    auto dictionary = std::make_unique<OnednnDictionary>(atoms, bias, units, width);
    if (context_.filter == Filter::kMeasured) {
      KWTA_ASSIGN_OR_RETURN(const Filter fastest, FastestFilter(context_, atoms, bias, units, width));
      dictionary->set_filter(fastest);
    } else {
      dictionary->set_filter(context_.filter);
    }
    KWTA_RETURN_IF_ERROR(dictionary->Refresh(context_));
    return dictionary;
  }
  absl::Status RefreshDictionary(Dictionary& dictionary) override {
    return static_cast<OnednnDictionary&>(dictionary).Refresh(context_);
  }

  absl::Status Gemm(const GemmArgs& args) override {
    const int64_t row_tiles = DivideUp(args.m, kGemmTileRows);
    const int64_t column_tiles = DivideUp(args.n, kGemmTileColumns);
    FirstError error;
    context_.pool.ParallelFor(row_tiles * column_tiles, 1, [&](int64_t tile, int64_t, int) {
      const int64_t row = tile / column_tiles * kGemmTileRows;
      const int64_t column = tile % column_tiles * kGemmTileColumns;
      DnnlGemmArgs part;
      part.a = args.a + row * args.k;
      part.lda = args.k;
      part.b = args.b + (args.transpose_b ? column * args.k : column);
      part.ldb = args.transpose_b ? args.k : args.n;
      part.transpose_b = args.transpose_b;
      part.c = args.c + row * args.n + column;
      part.ldc = args.n;
      part.m = std::min(kGemmTileRows, args.m - row);
      part.n = std::min(kGemmTileColumns, args.n - column);
      part.k = args.k;
      error.Update(DnnlGemm(part));
    });
    return error.status();
  }

  absl::Status AffineTopK(const AffineTopKArgs& args) override { return OnednnAffineTopK(context_, args); }

  absl::Status SparseDecode(const SparseDecodeArgs& args) override {
    std::vector<std::vector<const float*>> active(static_cast<size_t>(context_.pool.threads()));
    std::vector<double> row_sums(args.squared_sum != nullptr ? static_cast<size_t>(args.rows) : 0);
    context_.pool.ParallelFor(args.rows, RowGrain(args.width * args.k), [&](int64_t begin, int64_t end, int thread) {
      std::vector<const float*>& atoms = active[thread];
      atoms.resize(static_cast<size_t>(args.k));
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t j = 0; j < args.k; ++j) atoms[j] = args.atoms + args.indices[i * args.k + j] * args.width;
        float* output = args.output + i * args.width;
        context_.kernels.weighted_sum(args.bias, atoms.data(), args.values + i * args.k, args.k, args.width, output);
        if (args.target != nullptr) context_.kernels.subtract(args.target + i * args.width, args.width, output);
        if (args.squared_sum != nullptr) row_sums[i] = context_.kernels.squared_norm(output, args.width);
      }
    });
    if (args.squared_sum != nullptr) {
      *args.squared_sum = 0;
      for (double sum : row_sums) *args.squared_sum += sum;
    }
    return absl::OkStatus();
  }

  absl::Status SparseGradient(const SparseGradientArgs& args) override { return OnednnSparseGradient(context_, args); }

  absl::Status ActiveGradient(const ActiveGradientArgs& args) override { return OnednnActiveGradient(context_, args); }

  absl::Status MomentumUpdate(const MomentumUpdateArgs& args) override {
    context_.pool.ParallelFor(args.rows, RowGrain(args.width), [&](int64_t begin, int64_t end, int) {
      // The velocity of a unit that is never active decays into subnormal numbers and would stay there.
      const FlushSubnormals flush;
      for (int64_t r = begin; r < end; ++r) {
        const bool has_gradient = args.active_rows == nullptr || args.active_rows[r] != 0;
        float* parameter = args.parameter + r * args.width;
        context_.kernels.momentum(parameter, args.velocity + r * args.width,
                                  has_gradient ? args.gradient + r * args.width : nullptr, args.width, args.rate,
                                  args.momentum);
        if (!args.unit_norm) continue;
        const double squared_norm = context_.kernels.squared_norm(parameter, args.width);
        if (squared_norm > 0) context_.kernels.scale(1 / std::sqrt(squared_norm), parameter, args.width);
      }
    });
    return absl::OkStatus();
  }

  absl::Status AdamUpdate(const AdamUpdateArgs& args) override {
    AdamCoefficients coefficients;
    coefficients.beta1 = args.beta1;
    coefficients.beta2 = args.beta2;
    coefficients.one_minus_beta1 = static_cast<float>(1 - double{args.beta1});
    coefficients.one_minus_beta2 = static_cast<float>(1 - double{args.beta2});
    const auto step = static_cast<double>(args.step);
    coefficients.rate = static_cast<float>(args.rate / (1 - std::pow(double{args.beta1}, step)));
    coefficients.second_correction = static_cast<float>(1 / (1 - std::pow(double{args.beta2}, step)));
    coefficients.epsilon = args.epsilon;
    context_.pool.ParallelFor(args.size, kGrainElements, [&](int64_t begin, int64_t end, int) {
      // Moments of parameters without a gradient decay into subnormal numbers.
      const FlushSubnormals flush;
      winner_kernels_.adam(coefficients, args.gradient + begin, end - begin, args.first + begin, args.second + begin,
                           args.parameter + begin);
    });
    return absl::OkStatus();
  }
  absl::Status ConvWinners(const ConvWinnersArgs& args) override {
    return OnednnConvWinners(context_, convolution_rows_, args);
  }
  absl::Status WinnerDecode(const WinnerDecodeArgs& args) override {
    return OnednnWinnerDecode(context_, winner_kernels_, args);
  }
  absl::Status WinnerGradient(const WinnerGradientArgs& args) override {
    return OnednnWinnerGradient(context_, winner_kernels_, args);
  }
  absl::Status WinnerPass(const WinnerPassArgs& args) override {
    if (OnednnWinnerPass::Suits(context_, args)) {
      KWTA_ASSIGN_OR_RETURN(const bool done, OnednnWinnerPass(context_, winner_kernels_, args).Run());
      if (done) return absl::OkStatus();
    }
    return Backend::WinnerPass(args);
  }
  absl::Status ConvPool(const ConvPoolArgs& args) override { return OnednnConvPool(context_, convolution_rows_, args); }
  absl::StatusOr<std::unique_ptr<TiedDictionary>> PrepareTiedDictionary(const TiedParameters& parameters) override {
    return std::make_unique<OnednnTiedDictionary>(context_, parameters);
  }
  absl::Status RefreshTiedDictionary(TiedDictionary& dictionary) override {
    RefreshOnednnTiedDictionary(static_cast<OnednnTiedDictionary&>(dictionary));
    return absl::OkStatus();
  }
  absl::Status TiedStep(const TiedStepArgs& args) override { return OnednnTiedStep(context_, args); }
  absl::Status TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) override {
    return OnednnTiedAuxiliaryStep(*this, context_, args);
  }
  absl::Status TiedAtoms(const TiedAtomsArgs& args) override { return OnednnTiedAtoms(context_, args); }

 private:
  // Rows of which each costs `elements` in a range.
  static int64_t RowGrain(int64_t elements) {
    return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, elements));
  }

  OnednnContext context_;
  const WinnerKernels& winner_kernels_ = WinnerKernelsFor(context_.instruction_set);
  const ConvolutionRowKernels& convolution_rows_ = ConvolutionRowKernelsFor(context_.instruction_set);
};

// An option, or the environment's if it is empty.
std::string Chosen(const std::string& option, const char* variable) {
  if (!option.empty()) return option;
  const char* value = std::getenv(variable);
  return value != nullptr ? value : "";
}

constexpr std::pair<const char*, ByteProduct> kProducts[] = {{"vnni", ByteProduct::kVnni},
                                                             {"avx512", ByteProduct::kAvx512},
                                                             {"avx2", ByteProduct::kAvx2},
                                                             {"portable", ByteProduct::kPortable}};

absl::StatusOr<ByteProduct> ChooseProduct(const std::string& name) {
  const std::vector<ByteProduct> available = AvailableByteProducts();
  if (name.empty()) return available.front();
  std::string names;
  for (const auto& [product_name, product] : kProducts) {
    if (std::find(available.begin(), available.end(), product) == available.end()) continue;
    if (name == product_name) return product;
    absl::StrAppend(&names, names.empty() ? "" : ", ", product_name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no instruction set \"", name, "\" here; this processor has ", names));
}

absl::StatusOr<Filter> ChooseFilter(const std::string& name) {
  if (name.empty()) return Filter::kMeasured;
  if (name == "int8") return Filter::kBytes;
  if (name == "fp32") return Filter::kFloats;
  if (name == "bf16" && Bf16Atoms::Available()) return Filter::kBf16;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no filter \"", name, "\" here; expected int8, fp32 or, from AVX-512 on, bf16"));
}

InstructionSet SetOf(ByteProduct product) {
  switch (product) {
    case ByteProduct::kVnni:
    case ByteProduct::kAvx512:
      return InstructionSet::kAvx512;
    case ByteProduct::kAvx2:
      return InstructionSet::kAvx2;
    default:
      return InstructionSet::kPortable;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<Backend>> CreateOnednnBackend(const BackendOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const ByteProduct product, ChooseProduct(Chosen(options.instruction_set, "KWTA_FORCE_ISA")));
  KWTA_ASSIGN_OR_RETURN(const Filter filter, ChooseFilter(Chosen(options.filter, "KWTA_FORCE_FILTER")));
  return std::make_shared<OnednnBackend>(ResolveThreads(options.threads), SetOf(product), product, filter);
}

}  // namespace kwta
