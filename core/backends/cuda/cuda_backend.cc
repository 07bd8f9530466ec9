#include "core/backends/cuda/cuda_backend.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/cuda/kernels/candidates.h"
#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/scores.h"
#include "core/backends/cuda/kernels/sparse.h"
#include "core/backends/cuda/operations.h"
#include "core/backends/cuda/work.h"
#include "core/base/status_macros.h"

namespace kwta::cuda {
namespace {

// Atoms with their copies in bfloat16, if the filter uses them.
class CudaDictionary final : public Dictionary {
 public:
  CudaDictionary(const float* atoms, const float* bias, int64_t units, int64_t width, EncodingPath path)
      : Dictionary(atoms, bias, units, width), path_(std::move(path)) {}

  EncodingPath path() const override { return path_; }
  Global<const float> device_atoms() const { return In(atoms, units * width); }
  RoundedAtoms rounded() const {
    if (memory_.bytes() == 0) return {};
    auto* const numbers = const_cast<uint16_t*>(memory_.as<uint16_t>());
    auto* const lengths = const_cast<float*>(lengths_.as<float>());
    return {{numbers, units * RoundedWidth(width)}, {lengths, units}};
  }
  absl::Status Reserve(Backend& backend) {
    KWTA_ASSIGN_OR_RETURN(memory_,
                          backend.Allocate(static_cast<size_t>(units * RoundedWidth(width)) * sizeof(uint16_t)));
    KWTA_ASSIGN_OR_RETURN(lengths_, backend.Allocate(static_cast<size_t>(units) * sizeof(float)));
    return absl::OkStatus();
  }

 private:
  const EncodingPath path_;
  Buffer memory_, lengths_;
};

// What begins with bringing the atoms up to date has not done so if it was never queued, for lack of memory.
absl::Status FinishStep(Work& work, TiedDictionary& dictionary) {
  const absl::Status status = work.Finish();
  if (status.ok()) static_cast<CudaTiedDictionary&>(dictionary).up_to_date = true;
  return status;
}

EncodingPath PathOf(bool filters, Filter filter, int64_t units) {
  if (filters) return {"bf16", "the device multiplies in bfloat16 to find candidates"};
  if (filter == Filter::kNone) return {"fp32", "the filter is switched off"};
  if (filter == Filter::kAuto && units < kFilterUnits) {
    return {"fp32", absl::StrCat("fewer than ", kFilterUnits, " units are all scored exactly")};
  }
  return {"fp32", "there is no cuBLASLt: all units are scored exactly, which is slow"};
}

}  // namespace

CudaBackend::CudaBackend(std::string name, std::unique_ptr<Device> device, Filter filter)
    : name_(std::move(name)), device_(std::move(device)), filter_(filter) {}

absl::StatusOr<Buffer> CudaBackend::Allocate(size_t bytes) {
  if (bytes == 0) return Buffer();
  const absl::StatusOr<void*> memory = device_->Allocate(bytes);
  if (!memory.ok()) {
    return absl::Status(memory.status().code(), absl::StrCat("cannot allocate an array of ", bytes,
                                                             " bytes on the device: ", memory.status().message(),
                                                             "; use fewer units or smaller batches"));
  }
  return Buffer(*memory, bytes, [device = device_.get()](void* data) { device->Free(data); });
}

absl::Status CudaBackend::Clear(void* device, size_t bytes) {
  Work work(*device_, "Clear");
  work.Clear(Global<char>{static_cast<char*>(device), static_cast<int64_t>(bytes)});
  return work.Finish();
}

absl::Status CudaBackend::CopyFromHost(const void* host, void* device, size_t bytes) {
  return copies_.FromHost(host, device, bytes);
}

absl::Status CudaBackend::CopyToHost(const void* device, void* host, size_t bytes) {
  return copies_.ToHost(device, host, bytes);
}

absl::StatusOr<std::unique_ptr<Dictionary>> CudaBackend::PrepareDictionary(const float* atoms, const float* bias,
                                                                           int64_t units, int64_t width) {
  const bool filters = UsesFilter(*device_, filter_, units);
  auto dictionary = std::make_unique<CudaDictionary>(atoms, bias, units, width, PathOf(filters, filter_, units));
  if (filters) KWTA_RETURN_IF_ERROR(dictionary->Reserve(*this));
  KWTA_RETURN_IF_ERROR(RefreshDictionary(*dictionary));
  return dictionary;
}

absl::Status CudaBackend::RefreshDictionary(Dictionary& dictionary) {
  auto& own = static_cast<CudaDictionary&>(dictionary);
  Work work(*device_, "RefreshDictionary");
  if (!IsNull(own.rounded().rounded)) RoundAtoms(work, own.device_atoms(), own.units, own.width, own.rounded());
  return work.Finish();
}

absl::Status CudaBackend::Gemm(const GemmArgs& args) {
  Work work(*device_, "Gemm");
  QueueProduct(work, In(args.a, args.m * args.k), In(args.b, args.k * args.n), Out(args.c, args.m * args.n), args.m,
               args.n, args.k, false, args.transpose_b);
  return work.Finish();
}

absl::Status CudaBackend::AffineTopK(const AffineTopKArgs& args) {
  const auto& dictionary = static_cast<const CudaDictionary&>(*args.dictionary);
  Work work(*device_, "AffineTopK");
  CodesArgs codes;
  const int64_t elements = args.rows * dictionary.width;
  codes.x = In(args.x, elements);
  if (args.x == nullptr) {
    const Global<float> converted = work.Temporary<float>(elements);
    work.LaunchEach<FromBytesKernel>(elements, {In(args.bytes, elements), args.divisor, converted});
    codes.x = In(converted);
  }
  codes.atoms = dictionary.device_atoms();
  codes.bias = In(dictionary.bias, dictionary.units);
  codes.rows = args.rows;
  codes.units = dictionary.units;
  codes.width = dictionary.width;
  codes.k = args.k;
  codes.rounded = dictionary.rounded();
  codes.indices = Out(args.indices, args.rows * args.k);
  codes.values = Out(args.values, args.rows * args.k);
  FindCodes(work, codes);
  return work.Finish();
}

absl::Status CudaBackend::SparseDecode(const SparseDecodeArgs& args) {
  Work work(*device_, "SparseDecode");
  DecodeKernel::Args decode;
  // Nobody says how many atoms there are: indices say where they lie.
  decode.atoms = In(args.atoms, int64_t{1} << 62);
  decode.bias = In(args.bias, args.width);
  decode.values = In(args.values, args.rows * args.k);
  decode.indices = In(args.indices, args.rows * args.k);
  decode.k = args.k;
  decode.width = args.width;
  decode.output = Out(args.output, args.rows * args.width);
  work.Launch<DecodeKernel>(args.rows, ThreadsFor(args.width, DecodeKernel::kMaxThreads), decode);
  return work.Finish();
}

absl::Status CudaBackend::ActiveGradient(const ActiveGradientArgs& args) {
  Work work(*device_, "ActiveGradient");
  QueueActiveGradient(work, args);
  return work.Finish();
}

absl::Status CudaBackend::MomentumUpdate(const MomentumUpdateArgs& args) {
  Work work(*device_, "MomentumUpdate");
  const int64_t size = args.rows * args.width;
  MomentumKernel::Args update;
  update.parameter = Out(args.parameter, size);
  update.velocity = Out(args.velocity, size);
  update.gradient = In(args.gradient, size);
  update.active_rows = In(args.active_rows, args.rows);
  update.width = args.width;
  update.rate = args.rate;
  update.momentum = args.momentum;
  update.max_norm = args.max_norm;
  update.unit_norm = args.unit_norm;
  work.Launch<MomentumKernel>(args.rows, ThreadsFor(args.width, MomentumKernel::kMaxThreads), update);
  return work.Finish();
}

absl::Status CudaBackend::AdamUpdate(const AdamUpdateArgs& args) {
  Work work(*device_, "AdamUpdate");
  AdamKernel::Args update;
  update.parameter = Out(args.parameter, args.size);
  update.first = Out(args.first, args.size);
  update.second = Out(args.second, args.size);
  update.gradient = In(args.gradient, args.size);
  update.first_correction = 1 - std::pow(static_cast<double>(args.beta1), static_cast<double>(args.step));
  update.second_correction = 1 - std::pow(static_cast<double>(args.beta2), static_cast<double>(args.step));
  update.rate = args.rate;
  update.beta1 = args.beta1;
  update.beta2 = args.beta2;
  update.epsilon = args.epsilon;
  work.LaunchEach<AdamKernel>(args.size, update);
  return work.Finish();
}

absl::Status CudaBackend::ConvWinners(const ConvWinnersArgs& args) {
  Work work(*device_, "ConvWinners");
  QueueConvWinners(work, args);
  return work.Finish();
}

absl::Status CudaBackend::WinnerDecode(const WinnerDecodeArgs& args) {
  Work work(*device_, "WinnerDecode");
  QueueWinnerDecode(work, args);
  return work.Finish();
}

absl::Status CudaBackend::WinnerPass(const WinnerPassArgs& args) {
  Work work(*device_, "WinnerPass");
  QueueWinnerPass(work, args);
  return work.Finish();
}

absl::Status CudaBackend::ConvPool(const ConvPoolArgs& args) {
  Work work(*device_, "ConvPool");
  QueueConvPool(work, args);
  return work.Finish();
}

absl::Status CudaBackend::AffineActivation(const AffineActivationArgs& args) {
  Work work(*device_, "AffineActivation");
  ExactScoresKernel::Args scores;
  scores.x = In(args.x, args.rows * args.width);
  scores.atoms = In(args.atoms, args.units * args.width);
  scores.bias = In(args.bias, args.units);
  scores.width = args.width;
  scores.rows = args.rows;
  scores.units = scores.stride = args.units;
  scores.scores = Out(args.output, args.rows * args.units);
  if (!args.pre_activations) scores.activation = static_cast<int>(args.activation);
  work.Launch<ExactScoresKernel>(ExactScoresKernel::Blocks(scores), ExactScoresKernel::kMaxThreads, scores);
  return work.Finish();
}

absl::Status CudaBackend::RegularisedPass(const RegularisedPassArgs& args) {
  Work work(*device_, "RegularisedPass");
  QueueRegularisedPass(work, args);
  return work.Finish();
}

absl::StatusOr<std::unique_ptr<TiedDictionary>> CudaBackend::PrepareTiedDictionary(const TiedParameters& parameters) {
  return std::make_unique<CudaTiedDictionary>(parameters);
}

absl::Status CudaBackend::RefreshTiedDictionary(TiedDictionary& dictionary) {
  static_cast<CudaTiedDictionary&>(dictionary).up_to_date = false;
  return absl::OkStatus();
}

absl::Status CudaBackend::TiedStep(const TiedStepArgs& args) {
  Work work(*device_, "TiedStep");
  QueueTiedStep(work, args, filter_);
  return FinishStep(work, *args.dictionary);
}

absl::Status CudaBackend::TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) {
  Work work(*device_, "TiedAuxiliaryStep");
  QueueTiedAuxiliaryStep(work, args);
  return FinishStep(work, *args.dictionary);
}

absl::Status CudaBackend::TiedAtoms(const TiedAtomsArgs& args) {
  Work work(*device_, "TiedAtoms");
  QueueTiedAtoms(work, args);
  return work.Finish();
}

absl::StatusOr<Filter> FilterSetting(const BackendOptions& options) {
  const auto found = options.settings.find("filter");
  if (found == options.settings.end() || found->second == "auto") return Filter::kAuto;
  if (found->second == "bf16") return Filter::kBf16;
  if (found->second == "none") return Filter::kNone;
  return absl::InvalidArgumentError(
      absl::StrCat("the cuda backend has no filter \"", found->second, "\"; expected auto, bf16 or none"));
}

}  // namespace kwta::cuda
