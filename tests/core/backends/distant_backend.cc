#include "tests/core/backends/distant_backend.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/base/status_macros.h"
#include "tests/core/backends/cuda/emulation/emulated_backend.h"

namespace kwta {
namespace {

constexpr size_t kMaxDistantBytes = size_t{1} << 46;

// Keeps what the reference derives from the atoms until the last operation on it has run.
class DistantDictionary final : public Dictionary {
 public:
  explicit DistantDictionary(std::unique_ptr<Dictionary> of)
      : Dictionary(of->atoms, of->bias, of->units, of->width), reference(std::move(of)) {}

  const std::shared_ptr<Dictionary> reference;
};

class DistantTiedDictionary final : public TiedDictionary {
 public:
  explicit DistantTiedDictionary(std::unique_ptr<TiedDictionary> of)
      : TiedDictionary(of->parameters), reference(std::move(of)) {}

  const std::shared_ptr<TiedDictionary> reference;
};

std::shared_ptr<TiedDictionary> ReferenceOf(const TiedDictionary& dictionary) {
  return static_cast<const DistantTiedDictionary&>(dictionary).reference;
}

}  // namespace

DistantBackend::DistantBackend() : reference_(CreateBackend("reference", {1}).value()) {}

DistantBackend::~DistantBackend() {
  absl::MutexLock lock(&mutex_);
  EXPECT_TRUE(blocks_.empty()) << "a buffer outlives its backend";
  for (const auto& [memory, mapped] : mapped_) munmap(memory, mapped);
}

absl::StatusOr<Buffer> DistantBackend::Allocate(size_t bytes) {
  if (bytes == 0) return Buffer();
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t mapped = bytes <= kMaxDistantBytes ? (bytes + page - 1) / page * page : 0;
  void* const pages =
      mapped == 0 ? MAP_FAILED : mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    return absl::ResourceExhaustedError(absl::StrCat("no distant memory for an array of ", bytes, " bytes"));
  }
  std::memset(pages, 0xFF, mapped);
  mprotect(pages, mapped, PROT_NONE);
  char* const memory = static_cast<char*>(pages);
  absl::MutexLock lock(&mutex_);
  blocks_[memory] = bytes;
  mapped_[memory] = mapped;
  return Buffer(memory, bytes, [this, memory, mapped](void*) { Release(memory, mapped); });
}

void DistantBackend::Release(char* memory, size_t mapped) {
  absl::MutexLock lock(&mutex_);
  blocks_.erase(memory);
  // Operations that were put off may still use it.
  put_off_.push_back([this, memory, mapped]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mapped_.erase(memory);
    munmap(memory, mapped);
    return absl::OkStatus();
  });
}

void DistantBackend::Open(bool open) {
  for (const auto& [memory, mapped] : mapped_) mprotect(memory, mapped, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

absl::Status DistantBackend::Later(Operation operation) {
  absl::MutexLock lock(&mutex_);
  put_off_.push_back(std::move(operation));
  return absl::OkStatus();
}

absl::Status DistantBackend::Now(const Operation& operation) {
  absl::MutexLock lock(&mutex_);
  ++waits_;
  Open(true);
  absl::Status status;
  while (!put_off_.empty()) {
    status.Update(put_off_.front()());
    put_off_.pop_front();
  }
  if (status.ok()) status = operation();
  Open(false);
  return status;
}

void DistantBackend::CheckBytes(const void* address, size_t bytes) const {
  if (bytes == 0) return;
  const char* const begin = static_cast<const char*>(address);
  absl::MutexLock lock(&mutex_);
  auto block = blocks_.upper_bound(begin);
  if (block != blocks_.begin()) {
    --block;
    if (begin + bytes <= block->first + block->second) return;
  }
  ADD_FAILURE() << "an operation was given " << bytes << " bytes of memory that is not the backend's";
}

void DistantBackend::CheckFilters(const float* address, int64_t maps, int64_t size, const ImageBatch& images) const {
  Check(address, maps * images.channels * size * size);
}

absl::Status DistantBackend::Clear(void* device, size_t bytes) {
  CheckBytes(device, bytes);
  return Now([&] { return reference_->Clear(device, bytes); });
}

absl::Status DistantBackend::CopyFromHost(const void* host, void* device, size_t bytes) {
  CheckBytes(device, bytes);
  return Now([&] { return reference_->CopyFromHost(host, device, bytes); });
}

absl::Status DistantBackend::CopyToHost(const void* device, void* host, size_t bytes) {
  CheckBytes(device, bytes);
  return Now([&] { return reference_->CopyToHost(device, host, bytes); });
}

absl::StatusOr<std::unique_ptr<Dictionary>> DistantBackend::PrepareDictionary(const float* atoms, const float* bias,
                                                                              int64_t units, int64_t width) {
  Check(atoms, units * width);
  Check(bias, units);
  std::unique_ptr<Dictionary> dictionary;
  KWTA_RETURN_IF_ERROR(Now([&]() -> absl::Status {
    KWTA_ASSIGN_OR_RETURN(dictionary, reference_->PrepareDictionary(atoms, bias, units, width));
    return absl::OkStatus();
  }));
  return std::make_unique<DistantDictionary>(std::move(dictionary));
}

absl::Status DistantBackend::RefreshDictionary(Dictionary& dictionary) {
  Check(dictionary.atoms, dictionary.units * dictionary.width);
  Check(dictionary.bias, dictionary.units);
  return Later([this, own = static_cast<DistantDictionary&>(dictionary).reference] {
    return reference_->RefreshDictionary(*own);
  });
}

absl::Status DistantBackend::Gemm(const GemmArgs& args) {
  Check(args.a, args.m * args.k);
  Check(args.b, args.k * args.n);
  Check(args.c, args.m * args.n);
  return Later([=] { return reference_->Gemm(args); });
}

absl::Status DistantBackend::AffineTopK(const AffineTopKArgs& args) {
  const auto& dictionary = static_cast<const DistantDictionary&>(*args.dictionary);
  Check(dictionary.atoms, dictionary.units * dictionary.width);
  Check(dictionary.bias, dictionary.units);
  if (args.x != nullptr) Check(args.x, args.rows * dictionary.width);
  if (args.x == nullptr) Check(args.bytes, args.rows * dictionary.width);
  Check(args.indices, args.rows * args.k);
  Check(args.values, args.rows * args.k);
  return Later([this, own = dictionary.reference, late = args]() mutable {
    late.dictionary = own.get();
    return reference_->AffineTopK(late);
  });
}

absl::Status DistantBackend::SparseDecode(const SparseDecodeArgs& args) {
  if (args.rows > 0) Check(args.atoms, args.width);
  if (args.bias != nullptr) Check(args.bias, args.width);
  Check(args.indices, args.rows * args.k);
  Check(args.values, args.rows * args.k);
  Check(args.output, args.rows * args.width);
  return Later([=] { return reference_->SparseDecode(args); });
}

absl::Status DistantBackend::ActiveGradient(const ActiveGradientArgs& args) {
  if (args.x != nullptr) Check(args.x, args.rows * args.width);
  if (args.x == nullptr) Check(args.x_indices, args.rows * args.x_k);
  if (args.x == nullptr) Check(args.x_values, args.rows * args.x_k);
  Check(args.indices, args.rows * args.k);
  Check(args.dz, args.rows * args.k);
  if (args.decay != 0) Check(args.atoms, args.units * args.width);
  Check(args.gradient_atoms, args.units * args.width);
  Check(args.gradient_bias, args.units);
  Check(args.active_rows, args.units);
  return Later([=] { return reference_->ActiveGradient(args); });
}

absl::Status DistantBackend::MomentumUpdate(const MomentumUpdateArgs& args) {
  Check(args.parameter, args.rows * args.width);
  Check(args.velocity, args.rows * args.width);
  Check(args.gradient, args.rows * args.width);
  if (args.active_rows != nullptr) Check(args.active_rows, args.rows);
  return Later([=] { return reference_->MomentumUpdate(args); });
}

absl::Status DistantBackend::AdamUpdate(const AdamUpdateArgs& args) {
  for (const float* array : {args.parameter, args.first, args.second}) Check(array, args.size);
  Check(args.gradient, args.size);
  return Later([=] { return reference_->AdamUpdate(args); });
}

void DistantBackend::CheckWinners(const ConvWinnersArgs& args) const {
  const int64_t entries = args.scope == WinnerScope::kEachMap ? args.maps * args.winners : args.winners;
  CheckFilters(args.filters, args.maps, args.size, args.images);
  Check(args.bias, args.maps);
  Check(args.x, args.images.rows * args.images.elements());
  Check(args.units, args.images.rows * entries);
  Check(args.values, args.images.rows * entries);
}

absl::Status DistantBackend::ConvWinners(const ConvWinnersArgs& args) {
  CheckWinners(args);
  return Later([=] { return reference_->ConvWinners(args); });
}

absl::Status DistantBackend::WinnerDecode(const WinnerDecodeArgs& args) {
  CheckFilters(args.filters, args.maps, args.size, args.images);
  Check(args.bias, args.images.channels);
  Check(args.units, args.images.rows * args.entries);
  Check(args.values, args.images.rows * args.entries);
  Check(args.output, args.images.rows * args.images.elements());
  return Later([=] { return reference_->WinnerDecode(args); });
}

absl::Status DistantBackend::WinnerPass(const WinnerPassArgs& args) {
  const ConvWinnersArgs& encode = args.encode;
  CheckWinners(encode);
  CheckFilters(args.decoder, encode.maps, args.decoder_size, encode.images);
  Check(args.decoder_bias, encode.images.channels);
  Check(args.residual, encode.images.rows * encode.images.elements());
  CheckFilters(args.gradient_encoder, encode.maps, encode.size, encode.images);
  if (args.gradient_decoder != nullptr) {
    CheckFilters(args.gradient_decoder, encode.maps, args.decoder_size, encode.images);
  }
  Check(args.gradient_bias, encode.maps);
  Check(args.gradient_decoder_bias, encode.images.channels);
  Check(args.active_rows, encode.maps);
  Check(args.squared_error, 1);
  return Later([=] { return reference_->WinnerPass(args); });
}

absl::Status DistantBackend::ConvPool(const ConvPoolArgs& args) {
  CheckFilters(args.filters, args.maps, args.size, args.images);
  Check(args.bias, args.maps);
  Check(args.x, args.images.rows * args.images.elements());
  Check(args.output, args.images.rows * args.maps * args.pooling.Extent(args.images.height) *
                         args.pooling.Extent(args.images.width));
  return Later([=] { return reference_->ConvPool(args); });
}

absl::Status DistantBackend::AffineActivation(const AffineActivationArgs& args) {
  Check(args.atoms, args.units * args.width);
  Check(args.bias, args.units);
  Check(args.x, args.rows * args.width);
  Check(args.output, args.rows * args.units);
  return Later([=] {
    const absl::Status status = reference_->AffineActivation(args);
    if (args.pre_activations || args.activation == Activation::kReLU) return status;
    // A device's exp and log1p have other last bits.
    for (float* h = args.output; h != args.output + args.rows * args.units; ++h) *h = std::nextafter(*h, 2.0f);
    return status;
  });
}

absl::Status DistantBackend::RegularisedPass(const RegularisedPassArgs& args) {
  for (const float* array : {args.atoms, static_cast<const float*>(args.gradient_atoms)}) {
    Check(array, args.units * args.width);
  }
  for (const float* array : {args.bias, static_cast<const float*>(args.gradient_bias)}) Check(array, args.units);
  for (const float* array : {args.decoder_bias, static_cast<const float*>(args.gradient_decoder_bias)}) {
    Check(array, args.width);
  }
  Check(args.x, args.rows * args.width);
  if (args.sparsity.running_mean != nullptr) Check(args.sparsity.running_mean, args.units);
  Check(args.active_rows, args.units);
  Check(args.activity_sums, 3 * args.units);
  for (const double* number : {args.squared_error, args.penalty}) Check(number, 1);
  return Later([=] { return reference_->RegularisedPass(args); });
}

void DistantBackend::CheckParameters(const TiedParameters& p) const {
  for (const float* array : {p.atoms, p.atom_velocity}) Check(array, p.units * p.width);
  for (const float* array : {p.bias, p.bias_velocity, p.shift, p.decay}) Check(array, p.units);
  for (const float* array : {p.decoder_bias, p.decoder_velocity}) Check(array, p.width);
  if (p.offset != nullptr) Check(p.offset, p.width);
}

absl::StatusOr<std::unique_ptr<TiedDictionary>> DistantBackend::PrepareTiedDictionary(
    const TiedParameters& parameters) {
  CheckParameters(parameters);
  std::unique_ptr<TiedDictionary> dictionary;
  KWTA_RETURN_IF_ERROR(Now([&]() -> absl::Status {
    KWTA_ASSIGN_OR_RETURN(dictionary, reference_->PrepareTiedDictionary(parameters));
    return absl::OkStatus();
  }));
  return std::make_unique<DistantTiedDictionary>(std::move(dictionary));
}

absl::Status DistantBackend::RefreshTiedDictionary(TiedDictionary& dictionary) {
  CheckParameters(dictionary.parameters);
  return Later([this, own = ReferenceOf(dictionary)] { return reference_->RefreshTiedDictionary(*own); });
}

absl::Status DistantBackend::TiedStep(const TiedStepArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  CheckParameters(p);
  Check(args.x, args.rows * p.width);
  Check(args.indices, args.rows * args.k);
  Check(args.values, args.rows * args.k);
  Check(args.active_rows, p.units);
  if (args.idle_rows != nullptr) Check(args.idle_rows, p.units);
  Check(args.squared_error, 1);
  if (args.residual != nullptr) Check(args.residual, args.rows * p.width);
  return Later([this, own = ReferenceOf(*args.dictionary), late = args]() mutable {
    late.dictionary = own.get();
    return reference_->TiedStep(late);
  });
}

absl::Status DistantBackend::TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  CheckParameters(p);
  Check(args.x, args.rows * p.width);
  Check(args.residual, args.rows * p.width);
  Check(args.idle_rows, p.units);
  Check(args.squared_error, 1);
  return Later([this, own = ReferenceOf(*args.dictionary), late = args]() mutable {
    late.dictionary = own.get();
    return reference_->TiedAuxiliaryStep(late);
  });
}

absl::Status DistantBackend::TiedAtoms(const TiedAtomsArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  CheckParameters(p);
  Check(args.atoms, p.units * p.width);
  if (args.atom_velocity != nullptr) Check(args.atom_velocity, p.units * p.width);
  return Later([this, own = ReferenceOf(*args.dictionary), late = args]() mutable {
    late.dictionary = own.get();
    return reference_->TiedAtoms(late);
  });
}

std::vector<std::string> RunnableBackendNames() {
  std::vector<std::string> names;
  for (const std::string& name : BackendNames()) {
    const absl::Status status = CreateBackend(name, BackendOptions()).status();
    if (!absl::IsUnavailable(status)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> AllBackendNames() {
  std::vector<std::string> names = RunnableBackendNames();
  names.push_back("distant");
  names.push_back("emulated");
  return names;
}

absl::StatusOr<std::shared_ptr<Backend>> CreateAnyBackend(const std::string& name, const BackendOptions& options) {
  if (name == "distant") return std::make_shared<DistantBackend>();
  if (name == "emulated") return cuda::CreateEmulatedBackend(options);
  return CreateBackend(name, options);
}

}  // namespace kwta
