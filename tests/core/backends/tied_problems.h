// States of training of tied dictionaries, and the rows that they are tried on.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/core/backends/conformance.h"

namespace kwta {

struct TiedShape {
  int64_t rows, k, units, width;
};

inline const std::vector<TiedShape> kTiedShapes = {{1, 1, 1, 1},     {1, 3, 3, 5},     {2, 1, 7, 16},
                                                   {5, 7, 11, 97},   {9, 25, 70, 784}, {31, 4, 200, 65},
                                                   {40, 20, 20, 33}, {100, 3, 130, 28}};

// A state of training in a backend's memory.
struct TiedState {
  TiedState(Backend& backend, int64_t units, int64_t width, bool unit_norm = false, double sigma = 0.1,
            const std::vector<float>& mean = {})
      : backend(backend),
        atoms(backend, Gaussians(units * width, 11, sigma)),
        bias(backend, units),
        decoder_bias(backend, width),
        atom_velocity(backend, units * width),
        bias_velocity(backend, units),
        decoder_velocity(backend, width),
        shift(backend, units),
        decay(backend, std::vector<float>(units, 1.0f)),
        offset(backend, mean),
        idle_rows(backend, units) {
    parameters.units = units;
    parameters.width = width;
    parameters.atoms = atoms.data();
    parameters.bias = bias.data();
    parameters.decoder_bias = decoder_bias.data();
    parameters.atom_velocity = atom_velocity.data();
    parameters.bias_velocity = bias_velocity.data();
    parameters.decoder_velocity = decoder_velocity.data();
    parameters.shift = shift.data();
    parameters.decay = decay.data();
    parameters.unit_norm = unit_norm;
    if (!mean.empty()) parameters.offset = offset.data();
    auto prepared = backend.PrepareTiedDictionary(parameters);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    dictionary = *std::move(prepared);
  }

  void Refresh() { EXPECT_EQ(backend.RefreshTiedDictionary(*dictionary), absl::OkStatus()); }

  // Atoms, then velocities, that the stored numbers stand for.
  std::vector<float> UpToDate() {
    const int64_t size = parameters.units * parameters.width;
    Floats up_to_date(backend, size), velocity(backend, size);
    EXPECT_EQ(backend.TiedAtoms({dictionary.get(), up_to_date.data(), velocity.data()}), absl::OkStatus());
    std::vector<float> all = up_to_date.Read();
    const std::vector<float> velocities = velocity.Read();
    all.insert(all.end(), velocities.begin(), velocities.end());
    return all;
  }
  std::vector<float> UpToDateAtoms() {
    Floats up_to_date(backend, parameters.units * parameters.width);
    EXPECT_EQ(backend.TiedAtoms({dictionary.get(), up_to_date.data(), nullptr}), absl::OkStatus());
    return up_to_date.Read();
  }
  // Every stored number.
  std::vector<float> Stored() {
    std::vector<float> all;
    for (Floats* array :
         {&atoms, &bias, &decoder_bias, &atom_velocity, &bias_velocity, &decoder_velocity, &shift, &decay}) {
      const std::vector<float> part = array->Read();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  Backend& backend;
  Floats atoms, bias, decoder_bias, atom_velocity, bias_velocity, decoder_velocity, shift, decay, offset;
  DeviceArray<int64_t> idle_rows;  // not a part of the state as it is trained
  TiedParameters parameters;
  std::unique_ptr<TiedDictionary> dictionary;
};

struct StepResult {
  Codes codes;
  std::vector<int32_t> active_rows;
  double squared_error = -1;
};

// With a residual asked for, idle rows are counted too.
inline StepResult RunStep(TiedState& state, const std::vector<float>& x, int64_t k, float rate = 0.01f,
                          float momentum = 0.9f, std::vector<float>* residual = nullptr) {
  const int64_t rows = static_cast<int64_t>(x.size()) / state.parameters.width;
  Floats x_array(state.backend, x), values(state.backend, rows * k);
  constexpr int32_t kRowsBefore = 1000;  // that units are active in before the step
  Ints indices(state.backend, rows * k);
  Ints active_rows(state.backend, std::vector<int32_t>(state.parameters.units, kRowsBefore));
  Doubles squared_error(state.backend, std::vector<double>{-1});
  Floats residual_array(state.backend, static_cast<int64_t>(x.size()));
  const bool with_all = residual != nullptr;
  EXPECT_EQ(state.backend.TiedStep({state.dictionary.get(), x_array.data(), rows, k, rate, momentum, indices.data(),
                                    values.data(), active_rows.data(), with_all ? state.idle_rows.data() : nullptr,
                                    squared_error.data(), with_all ? residual_array.data() : nullptr}),
            absl::OkStatus());
  if (residual != nullptr) *residual = residual_array.Read();
  StepResult result;
  result.codes = {indices.Read(), values.Read()};
  result.active_rows = active_rows.Read();
  for (int32_t& active : result.active_rows) active -= kRowsBefore;
  result.squared_error = squared_error.Read()[0];
  return result;
}

// The codes of x with the atoms that `state` stands for, by the reference.
inline Codes ExpectedCodes(Backend& reference, TiedState& state, const std::vector<float>& x, int64_t k) {
  const int64_t rows = static_cast<int64_t>(x.size()) / state.parameters.width;
  Floats atoms(reference, state.UpToDateAtoms()), bias(reference, state.bias.Read()), x_array(reference, x);
  Floats values(reference, rows * k);
  Ints indices(reference, rows * k);
  const auto dictionary =
      reference.PrepareDictionary(atoms.data(), bias.data(), state.parameters.units, state.parameters.width);
  EXPECT_EQ(reference.AffineTopK({dictionary->get(), x_array.data(), rows, k, indices.data(), values.data()}),
            absl::OkStatus());
  return {indices.Read(), values.Read()};
}

// Rows like small images: bytes / 255, most of them zero in runs of eight, and alike.
inline std::vector<float> SparseRows(int64_t rows, int64_t width, uint64_t seed) {
  Rng rng(seed), pattern_rng(99);
  std::vector<double> pattern(static_cast<size_t>((width + 7) / 8));
  for (double& value : pattern) value = 0.7 * pattern_rng.Uniform();
  std::vector<float> x(static_cast<size_t>(rows * width));
  bool active = false;
  for (int64_t i = 0; i < rows * width; ++i) {
    const int64_t d = i % width;
    if (d % 8 == 0) active = rng.Uniform() < pattern[d / 8];
    if (active) x[i] = static_cast<float>(rng.UniformBelow(256)) / 255.0f;
  }
  return x;
}

// What such rows are on average.
inline std::vector<float> MeanOfSparseRows(int64_t width) {
  constexpr int64_t kRows = 200;
  const std::vector<float> x = SparseRows(kRows, width, 4);
  std::vector<float> mean(static_cast<size_t>(width));
  for (int64_t i = 0; i < kRows * width; ++i) mean[i % width] += x[i] / kRows;
  return mean;
}

inline std::vector<float> Less(std::vector<float> x, const std::vector<float>& mean) {
  for (size_t i = 0; i < x.size(); ++i) x[i] -= mean[i % mean.size()];
  return x;
}

}  // namespace kwta
