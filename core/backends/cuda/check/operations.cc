#include "core/backends/cuda/check/operations.h"

#include <cmath>
#include <utility>

#include "core/backends/cuda/check/arrays.h"
#include "core/backends/cuda/check/tied_problem.h"
#include "core/base/status_macros.h"

namespace kwta::cuda {
namespace {

// Of sums in binary32 in some order.
constexpr double kSums = 1e-4;

// Collects arrays of one operation.
class Result {
 public:
  Result(Arrays& arrays, std::string operation, double tolerance) : arrays_(arrays) {
    outcome_.operation = std::move(operation);
    outcome_.tolerance = tolerance;
  }
  template <typename T>
  void Add(const T* array, int64_t count) {
    for (const T value : arrays_.Read(array, count)) outcome_.numbers.push_back(static_cast<float>(value));
  }
  absl::StatusOr<Outcome> Finish(const absl::Status& status) {
    KWTA_RETURN_IF_ERROR(status);
    KWTA_RETURN_IF_ERROR(arrays_.status());
    return outcome_;
  }

 private:
  Arrays& arrays_;
  Outcome outcome_;
};

// Codes of k different units a row, of numbers that no order of threads brings forth.
std::vector<int32_t> SpreadUnits(int64_t rows, int64_t units, int64_t k) {
  std::vector<int32_t> indices;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t first = i * 7 % (units - k + 1);
    for (int64_t e = 0; e < k; ++e) indices.push_back(static_cast<int32_t>(first + e));
  }
  return indices;
}

absl::StatusOr<Outcome> RunGemm(Backend& backend, int64_t m, int64_t n, int64_t k, bool transpose_b) {
  Arrays arrays(backend);
  const float* const a = arrays.Add(Normals(m * k, 1));
  const float* const b = arrays.Add(Normals(k * n, 2));
  float* const c = arrays.Add(std::vector<float>(m * n));
  KWTA_RETURN_IF_ERROR(arrays.status());
  const absl::Status status = backend.Gemm({a, b, c, m, n, k, transpose_b});
  Result result(arrays, "gemm", kSums);
  result.Add(c, m * n);
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunActiveGradient(Backend& backend, bool sparse_rows) {
  constexpr int64_t kRows = 30, kUnits = 300, kWidth = 130, kK = 9, kXK = 20;
  Arrays arrays(backend);
  ActiveGradientArgs args;
  args.indices = arrays.Add(SpreadUnits(kRows, kUnits, kK));
  args.dz = arrays.Add(Normals(kRows * kK, 1));
  args.rows = kRows;
  args.k = kK;
  args.units = kUnits;
  args.width = kWidth;
  args.decay = 0.1f;
  args.atoms = arrays.Add(Normals(kUnits * kWidth, 2));
  if (sparse_rows) {
    args.x_indices = arrays.Add(SpreadUnits(kRows, kWidth, kXK));
    args.x_values = arrays.Add(Normals(kRows * kXK, 3));
    args.x_k = kXK;
  } else {
    args.x = arrays.Add(Normals(kRows * kWidth, 3));
  }
  // Rows of units without a gradient are not written.
  args.gradient_atoms = arrays.Add(std::vector<float>(kUnits * kWidth));
  args.gradient_bias = arrays.Add(std::vector<float>(kUnits));
  args.active_rows = arrays.Add(std::vector<int32_t>(kUnits));
  KWTA_RETURN_IF_ERROR(arrays.status());
  const absl::Status status = backend.ActiveGradient(args);
  Result result(arrays, "active_gradient", kSums);
  result.Add(args.gradient_atoms, kUnits * kWidth);
  result.Add(args.gradient_bias, kUnits);
  result.Add(args.active_rows, kUnits);
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunUpdates(Backend& backend) {
  constexpr int64_t kRows = 70, kWidth = 129, kSize = kRows * kWidth;
  Arrays arrays(backend);
  float* const parameter = arrays.Add(Normals(kSize, 1));
  float* const velocity = arrays.Add(Normals(kSize, 2));
  const float* const gradient = arrays.Add(Normals(kSize, 3));
  std::vector<int32_t> active(kRows, 1);
  active[3] = 0;
  float* const first = arrays.Add(std::vector<float>(kSize));
  float* const second = arrays.Add(std::vector<float>(kSize));
  MomentumUpdateArgs momentum{parameter, velocity, gradient, arrays.Add(active), kRows, kWidth, 0.1f, 0.9f};
  KWTA_RETURN_IF_ERROR(arrays.status());
  absl::Status status = backend.MomentumUpdate(momentum);
  momentum.unit_norm = true;
  status.Update(backend.MomentumUpdate(momentum));
  momentum.unit_norm = false;
  momentum.max_norm = 0.9f;
  status.Update(backend.MomentumUpdate(momentum));
  for (int64_t step = 1; step <= 3; ++step) {
    status.Update(backend.AdamUpdate({parameter, first, second, gradient, kSize, step, 0.01f}));
  }
  Result result(arrays, "updates", 1e-5);
  for (const float* const array : {static_cast<const float*>(parameter), static_cast<const float*>(velocity),
                                   static_cast<const float*>(first), static_cast<const float*>(second)}) {
    result.Add(array, kSize);
  }
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunActivation(Backend& backend, Activation activation, bool pre_activations) {
  constexpr int64_t kRows = 45, kUnits = 67, kWidth = 130;
  Arrays arrays(backend);
  AffineActivationArgs args;
  args.atoms = arrays.Add(Normals(kUnits * kWidth, 1, 0.1));
  args.bias = arrays.Add(Normals(kUnits, 2));
  args.units = kUnits;
  args.width = kWidth;
  args.x = arrays.Add(Normals(kRows * kWidth, 3));
  args.rows = kRows;
  args.activation = activation;
  args.pre_activations = pre_activations;
  args.output = arrays.Add(std::vector<float>(kRows * kUnits));
  KWTA_RETURN_IF_ERROR(arrays.status());
  const absl::Status status = backend.AffineActivation(args);
  Result result(arrays, "affine_activation", pre_activations || activation == Activation::kReLU ? 0 : 1e-6);
  result.Add(args.output, kRows * kUnits);
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunRegularised(Backend& backend, CorruptionKind corruption, bool first_order) {
  constexpr int64_t kRows = 64, kUnits = 90, kWidth = 110;
  Arrays arrays(backend);
  RegularisedPassArgs args;
  args.atoms = arrays.Add(Normals(kUnits * kWidth, 1, 0.1));
  args.bias = arrays.Add(Normals(kUnits, 2, 0.1));
  args.decoder_bias = arrays.Add(Normals(kWidth, 3, 0.1));
  args.units = kUnits;
  args.width = kWidth;
  args.x = arrays.Add(Normals(kRows * kWidth, 4));
  args.rows = kRows;
  args.activation = Activation::kSigmoid;
  args.corruption = {corruption, 0.2f, 5, 100};
  args.first_order = first_order;
  args.contraction = first_order ? 0.0f : 0.01f;
  args.weight_decay = 0.001f;
  args.sparsity.weight = 0.1f;
  args.sparsity.target = 0.2f;
  args.sparsity.limit = 0.9f;
  args.sparsity.mean_decay = 0.5f;
  args.sparsity.running_mean = arrays.Add(std::vector<float>(kUnits, -1.0f));
  args.gradient_atoms = arrays.Add(std::vector<float>(kUnits * kWidth));
  args.gradient_bias = arrays.Add(std::vector<float>(kUnits));
  args.gradient_decoder_bias = arrays.Add(std::vector<float>(kWidth));
  args.active_rows = arrays.Add(std::vector<int32_t>(kUnits));
  args.activity_sums = arrays.Add(std::vector<double>(3 * kUnits));
  args.squared_error = arrays.Add(std::vector<double>(1));
  args.penalty = arrays.Add(std::vector<double>(1));
  KWTA_RETURN_IF_ERROR(arrays.status());
  const absl::Status status = backend.RegularisedPass(args);
  Result result(arrays, "regularised_pass", kSums);
  result.Add(args.gradient_atoms, kUnits * kWidth);
  result.Add(args.gradient_bias, kUnits);
  result.Add(args.gradient_decoder_bias, kWidth);
  result.Add(args.squared_error, 1);
  result.Add(args.penalty, 1);
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunAuxiliaryStep(Backend& backend) {
  constexpr int64_t kRows = 40, kUnits = 300, kWidth = 70, kK = 6;
  Arrays arrays(backend);
  const TiedParameters p = AddTiedParameters(arrays, kUnits, kWidth, 0.1);
  TiedAuxiliaryStepArgs args;
  args.x = arrays.Add(Normals(kRows * kWidth, 5));
  args.residual = arrays.Add(Normals(kRows * kWidth, 6));
  args.rows = kRows;
  std::vector<int64_t> idle(kUnits);
  for (int64_t unit = 0; unit < kUnits; unit += 3) idle[unit] = 100;
  args.idle_rows = arrays.Add(idle);
  args.dead_after_rows = 100;
  args.k = kK;
  args.weight = 0.5f;
  args.rate = 0.01f;
  args.squared_error = arrays.Add(std::vector<double>(1));
  float* const atoms = arrays.Add(std::vector<float>(kUnits * kWidth));
  float* const velocity = arrays.Add(std::vector<float>(kUnits * kWidth));
  KWTA_RETURN_IF_ERROR(arrays.status());
  KWTA_ASSIGN_OR_RETURN(const auto dictionary, backend.PrepareTiedDictionary(p));
  args.dictionary = dictionary.get();
  absl::Status status = backend.TiedAuxiliaryStep(args);
  status.Update(backend.TiedAtoms({dictionary.get(), atoms, velocity}));
  Result result(arrays, "tied_auxiliary_step", kSums);
  result.Add(atoms, kUnits * kWidth);
  result.Add(velocity, kUnits * kWidth);
  result.Add(args.squared_error, 1);
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunWinnerPass(Backend& backend, bool tied) {
  constexpr int64_t kMaps = 12, kSize = 5, kDecoderSize = 7, kChannels = 3, kPixels = 14 * 15;
  const ImageBatch images = {20, kChannels, 14, 15};
  const int64_t decoder_size = tied ? kSize : kDecoderSize, decoder = kMaps * kChannels * decoder_size * decoder_size;
  constexpr int64_t kEncoder = kMaps * kChannels * kSize * kSize;
  Arrays arrays(backend);
  WinnerPassArgs args;
  args.encode.filters = arrays.Add(Normals(kEncoder, 1, 0.1));
  args.encode.bias = arrays.Add(Normals(kMaps, 2, 0.1));
  args.encode.maps = kMaps;
  args.encode.size = kSize;
  args.encode.images = images;
  args.encode.x = arrays.Add(Normals(images.rows * kChannels * kPixels, 3));
  args.encode.units = arrays.Add(std::vector<int32_t>(images.rows * kMaps));
  args.encode.values = arrays.Add(std::vector<float>(images.rows * kMaps));
  args.entries = kMaps;
  args.decoder = tied ? args.encode.filters : arrays.Add(Normals(decoder, 4, 0.1));
  args.decoder_bias = arrays.Add(Normals(kChannels, 5, 0.1));
  args.decoder_size = decoder_size;
  args.residual = arrays.Add(std::vector<float>(images.rows * kChannels * kPixels));
  args.gradient_encoder = arrays.Add(std::vector<float>(kEncoder));
  float* const gradient_decoder = arrays.Add(std::vector<float>(decoder));
  args.gradient_decoder = tied ? nullptr : gradient_decoder;
  args.gradient_bias = arrays.Add(std::vector<float>(kMaps));
  args.gradient_decoder_bias = arrays.Add(std::vector<float>(kChannels));
  args.active_rows = arrays.Add(std::vector<int32_t>(kMaps));
  args.squared_error = arrays.Add(std::vector<double>(1));
  KWTA_RETURN_IF_ERROR(arrays.status());
  const absl::Status status = backend.WinnerPass(args);
  Result result(arrays, "winner_pass", kSums);
  result.Add(args.gradient_encoder, kEncoder);
  result.Add(gradient_decoder, decoder);
  result.Add(args.gradient_bias, kMaps);
  result.Add(args.gradient_decoder_bias, kChannels);
  result.Add(args.active_rows, kMaps);
  result.Add(args.squared_error, 1);
  return result.Finish(status);
}

absl::StatusOr<Outcome> RunWinnerDecode(Backend& backend) {
  constexpr int64_t kMaps = 8, kSize = 7, kChannels = 2, kPixels = 13 * 16, kEntries = 10, kRows = 15;
  Arrays arrays(backend);
  WinnerDecodeArgs args;
  args.filters = arrays.Add(Normals(kMaps * kChannels * kSize * kSize, 1));
  args.bias = arrays.Add(Normals(kChannels, 2));
  args.maps = kMaps;
  args.size = kSize;
  args.images = {kRows, kChannels, 13, 16};
  std::vector<int32_t> units = SpreadUnits(kRows, kMaps * kPixels, kEntries);
  for (size_t i = 5; i < units.size(); i += 11) units[i] = -1;
  args.units = arrays.Add(units);
  args.values = arrays.Add(Normals(kRows * kEntries, 3));
  args.entries = kEntries;
  args.output = arrays.Add(std::vector<float>(kRows * kChannels * kPixels));
  KWTA_RETURN_IF_ERROR(arrays.status());
  const absl::Status status = backend.WinnerDecode(args);
  Result result(arrays, "winner_decode", kSums);
  result.Add(args.output, kRows * kChannels * kPixels);
  return result.Finish(status);
}

}  // namespace

absl::StatusOr<std::vector<Outcome>> RunOperations(Backend& backend) {
  std::vector<Outcome> outcomes;
  absl::Status status;
  const auto add = [&](absl::StatusOr<Outcome> outcome) {
    status.Update(outcome.status());
    if (outcome.ok()) outcomes.push_back(*std::move(outcome));
  };
  // The larger products are the library's.
  for (const bool transpose_b : {false, true}) {
    add(RunGemm(backend, 33, 65, 29, transpose_b));
    add(RunGemm(backend, 131, 97, 66, transpose_b));
  }
  for (const bool sparse_rows : {false, true}) add(RunActiveGradient(backend, sparse_rows));
  add(RunUpdates(backend));
  for (const Activation activation : {Activation::kReLU, Activation::kSigmoid, Activation::kSoftplus}) {
    add(RunActivation(backend, activation, false));
  }
  add(RunActivation(backend, Activation::kSigmoid, true));
  add(RunRegularised(backend, CorruptionKind::kNone, false));
  add(RunRegularised(backend, CorruptionKind::kMasking, false));
  add(RunRegularised(backend, CorruptionKind::kGaussian, true));
  add(RunAuxiliaryStep(backend));
  for (const bool tied : {false, true}) add(RunWinnerPass(backend, tied));
  add(RunWinnerDecode(backend));
  KWTA_RETURN_IF_ERROR(status);
  return outcomes;
}

}  // namespace kwta::cuda
