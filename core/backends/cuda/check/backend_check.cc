#include "core/backends/cuda/check/backend_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/backends/cuda/check/arrays.h"
#include "core/backends/cuda/check/measure.h"
#include "core/backends/cuda/check/operations.h"
#include "core/backends/cuda/check/tied_problem.h"
#include "core/base/status_macros.h"

namespace kwta::cuda {
namespace {

template <typename T>
int64_t Different(const std::vector<T>& actual, const std::vector<T>& expected) {
  int64_t different = 0;
  for (size_t i = 0; i < expected.size(); ++i) different += std::memcmp(&actual[i], &expected[i], sizeof(T)) != 0;
  return different;
}

int64_t Far(const std::vector<float>& actual, const std::vector<float>& expected, double tolerance) {
  int64_t far = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    far += !(std::abs(static_cast<double>(actual[i]) - expected[i]) <= tolerance * (1 + std::abs(expected[i])));
  }
  return far;
}

int64_t Wrong(const Outcome& actual, const Outcome& expected) {
  if (expected.tolerance == 0) return Different(actual.numbers, expected.numbers);
  return Far(actual.numbers, expected.numbers, expected.tolerance);
}

struct Codes {
  std::vector<int32_t> indices;
  std::vector<float> values, decoded;
};

struct CodeProblem {
  int64_t rows, width, units, k;
};

absl::StatusOr<Codes> Encode(Backend& backend, const CodeProblem& p) {
  Arrays arrays(backend);
  const float* const x = arrays.Add(Normals(p.rows * p.width, 1));
  const float* const atoms = arrays.Add(Normals(p.units * p.width, 2, 0.1));
  const float* const bias = arrays.Add(Normals(p.units, 3, 0.1));
  int32_t* const indices = arrays.Add(std::vector<int32_t>(p.rows * p.k));
  float* const values = arrays.Add(std::vector<float>(p.rows * p.k));
  float* const decoded = arrays.Add(std::vector<float>(p.rows * p.width));
  KWTA_RETURN_IF_ERROR(arrays.status());
  KWTA_ASSIGN_OR_RETURN(const auto dictionary, backend.PrepareDictionary(atoms, bias, p.units, p.width));
  KWTA_RETURN_IF_ERROR(backend.AffineTopK({dictionary.get(), x, p.rows, p.k, indices, values}));
  KWTA_RETURN_IF_ERROR(backend.SparseDecode({atoms, nullptr, indices, values, p.rows, p.k, p.width, decoded}));
  Codes codes{arrays.Read(indices, p.rows * p.k), arrays.Read(values, p.rows * p.k),
              arrays.Read(decoded, p.rows * p.width)};
  KWTA_RETURN_IF_ERROR(arrays.status());
  return codes;
}

struct Trained {
  std::vector<float> atoms;
  std::vector<int32_t> indices;  // of the first step
  double first_error = 0, last_error = 0;
};

absl::StatusOr<Trained> Train(Backend& backend, int64_t steps) {
  constexpr int64_t kRows = 50, kUnits = 200, kWidth = 100, kK = 8;
  Arrays arrays(backend);
  const TiedParameters p = AddTiedParameters(arrays, kUnits, kWidth, 0.1);
  TiedStepArgs args = AddTiedStep(arrays, arrays.Add(Normals(kRows * kWidth, 5)), kRows, kUnits, kK, 0.002f);
  KWTA_RETURN_IF_ERROR(arrays.status());
  KWTA_ASSIGN_OR_RETURN(const auto dictionary, backend.PrepareTiedDictionary(p));
  args.dictionary = dictionary.get();
  Trained trained;
  for (int64_t step = 0; step < steps; ++step) {
    KWTA_RETURN_IF_ERROR(backend.TiedStep(args));
    if (step > 0) continue;
    trained.indices = arrays.Read(args.indices, kRows * kK);
    trained.first_error = arrays.Read(args.squared_error, 1)[0];
  }
  trained.last_error = arrays.Read(args.squared_error, 1)[0];
  float* const atoms = arrays.Add(std::vector<float>(kUnits * kWidth));
  KWTA_RETURN_IF_ERROR(arrays.status());
  KWTA_RETURN_IF_ERROR(backend.TiedAtoms({dictionary.get(), atoms, nullptr}));
  trained.atoms = arrays.Read(atoms, kUnits * kWidth);
  KWTA_RETURN_IF_ERROR(arrays.status());
  return trained;
}

struct Winners {
  std::vector<int32_t> units;
  std::vector<float> values, pooled;
};

absl::StatusOr<Winners> FindWinners(Backend& backend, WinnerScope scope, int64_t winners) {
  ConvWinnersArgs args;
  args.maps = 16;
  args.size = 7;
  args.images = {20, 1, 28, 28};
  args.scope = scope;
  args.winners = winners;
  const int64_t entries = args.images.rows * (scope == WinnerScope::kEachMap ? args.maps * winners : winners);
  ConvPoolArgs pool;
  pool.pooling = {5, 3, 2};
  const int64_t pooled = args.images.rows * args.maps * 100;
  Arrays arrays(backend);
  args.filters = pool.filters = arrays.Add(Normals(args.maps * 49, 6, 0.2));
  args.bias = pool.bias = arrays.Add(Normals(args.maps, 7, 0.1));
  args.x = pool.x = arrays.Add(Normals(args.images.rows * 784, 8));
  args.units = arrays.Add(std::vector<int32_t>(entries));
  args.values = arrays.Add(std::vector<float>(entries));
  pool.maps = args.maps;
  pool.size = args.size;
  pool.images = args.images;
  pool.output = arrays.Add(std::vector<float>(pooled));
  KWTA_RETURN_IF_ERROR(arrays.status());
  KWTA_RETURN_IF_ERROR(backend.ConvWinners(args));
  KWTA_RETURN_IF_ERROR(backend.ConvPool(pool));
  Winners found{arrays.Read(args.units, entries), arrays.Read(args.values, entries), arrays.Read(pool.output, pooled)};
  KWTA_RETURN_IF_ERROR(arrays.status());
  return found;
}

}  // namespace

absl::StatusOr<int64_t> CheckBackend(Backend& backend, const BackendCheckOptions& options, std::ostream& out) {
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<Backend> reference, CreateBackend("reference", BackendOptions()));
  int64_t wrong = 0;
  const auto report = [&](const char* name, int64_t count) {
    out << name << "_wrong " << count << std::endl;
    wrong += count;
  };
  int64_t codes = 0, decoded = 0;
  for (const CodeProblem& p :
       std::vector<CodeProblem>{{1, 1, 1, 1}, {7, 65, 67, 7}, {40, 784, 300, 25}, {33, 100, 4500, 60}}) {
    KWTA_ASSIGN_OR_RETURN(const Codes actual, Encode(backend, p));
    KWTA_ASSIGN_OR_RETURN(const Codes expected, Encode(*reference, p));
    codes += Different(actual.indices, expected.indices) + Different(actual.values, expected.values);
    decoded += Far(actual.decoded, expected.decoded, 1e-5);
  }
  report("affine_top_k", codes);
  report("sparse_decode", decoded);

  KWTA_ASSIGN_OR_RETURN(const Trained actual, Train(backend, 20));
  KWTA_ASSIGN_OR_RETURN(const Trained expected, Train(*reference, 20));
  report("tied_codes", Different(actual.indices, expected.indices));
  report("tied_error", std::abs(actual.last_error - expected.last_error) > 1e-2 * expected.last_error);
  report("tied_learns", !(actual.last_error < actual.first_error));

  int64_t winners = 0, pooled = 0;
  for (const auto& [scope, count] : std::vector<std::pair<WinnerScope, int64_t>>{
           {WinnerScope::kEachMap, 1}, {WinnerScope::kEachMap, 5}, {WinnerScope::kAcrossMaps, 30}}) {
    KWTA_ASSIGN_OR_RETURN(const Winners found, FindWinners(backend, scope, count));
    KWTA_ASSIGN_OR_RETURN(const Winners wanted, FindWinners(*reference, scope, count));
    winners += Different(found.units, wanted.units) + Different(found.values, wanted.values);
    pooled += Different(found.pooled, wanted.pooled);
  }
  report("conv_winners", winners);
  report("conv_pool", pooled);

  KWTA_ASSIGN_OR_RETURN(const std::vector<Outcome> outcomes, RunOperations(backend));
  KWTA_ASSIGN_OR_RETURN(const std::vector<Outcome> wanted, RunOperations(*reference));
  for (size_t i = 0; i < wanted.size();) {
    int64_t count = 0;
    const std::string& operation = wanted[i].operation;
    for (; i < wanted.size() && wanted[i].operation == operation; ++i) count += Wrong(outcomes[i], wanted[i]);
    report(operation.c_str(), count);
  }
  out << "conformance_wrong " << wrong << std::endl;
  if (options.timing) KWTA_RETURN_IF_ERROR(MeasureBackend(backend, out));
  return wrong;
}

}  // namespace kwta::cuda
