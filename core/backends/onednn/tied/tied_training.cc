#include "core/backends/onednn/tied/tied_training.h"

#include <algorithm>
#include <cmath>

#include "core/backends/onednn/support/flush_subnormals.h"
#include "core/backends/tied_composition.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::tied {
namespace {

// Rows to decode, and atoms to update, in one range of a loop.
constexpr int64_t kStepGrainRows = 2;
constexpr int64_t kStepGrainUnits = 16;
// Columns of the decoder bias that a range updates.
constexpr int64_t kStepGrainColumns = 256;

// An atom is deferred until its velocity has fallen to this. The bound of its scores knows only the length of the
// remaining drift, which is then short. It must depend on stored numbers alone, or a run that resumes from a checkpoint
// would round differently.
constexpr float kSpentDecay = 0.1f;

// The whole dictionary is refreshed after this many steps, because the mean of its atoms has moved.
constexpr int64_t kDictionarySteps = 256;

// One call of TiedStep.
class StepCall {
 public:
  StepCall(support::Context& context, const TiedStepArgs& args)
      : context_(context),
        args_(args),
        state_(static_cast<DictionaryInTraining&>(*args.dictionary)),
        p_(state_.parameters),
        twice_scale_(2.0f / static_cast<float>(args.rows)) {}

  absl::Status Run() {
    state_.residual.resize(static_cast<size_t>(args_.rows * p_.width));
    state_.products.resize(static_cast<size_t>(args_.rows * args_.k));
    state_.row_errors.resize(static_cast<size_t>(args_.rows));
    state_.scratch.resize(static_cast<size_t>(context_.pool.threads()));
    sparse_ = context_.filter != support::Filter::kFloats && !p_.unit_norm &&
              state_.sparse.Prepare(context_, args_.x, args_.rows, args_.k);
    if (!sparse_) {
      if (state_.dictionary_steps == 0) {
        BringAtomsUpToDate();
        // The first row of most dense batches has a negative element. A wrong guess costs time, and the first one
        // stays.
        if (!state_.prepared) {
          state_.dictionary.set_trains(std::any_of(args_.x, args_.x + p_.width, [](float x) { return x < 0; }));
        }
        state_.prepared = true;
        KWTA_RETURN_IF_ERROR(state_.dictionary.Refresh(context_));
        state_.dictionary_steps = kDictionarySteps;
      }
      KWTA_RETURN_IF_ERROR(
          codes::AffineTopK(context_, {&state_.dictionary, args_.x, args_.rows, args_.k, args_.indices, args_.values}));
    }
    Decode();
    if (args_.residual != nullptr) std::copy(state_.residual.begin(), state_.residual.end(), args_.residual);
    if (!std::isfinite(*args_.squared_error)) return absl::OkStatus();
    UpdateDecoder();
    Update();
    if (sparse_) {
      state_.dictionary_steps = 0;
    } else {
      state_.sparse.Invalidate();
      --state_.dictionary_steps;
      if (!state_.dictionary.FinishUpdates()) state_.dictionary_steps = 0;
    }
    return absl::OkStatus();
  }

 private:
  void BringAtomsUpToDate() {
    context_.pool.ParallelFor(p_.units, kStepGrainUnits, [&](int64_t begin, int64_t end, int) {
      const support::FlushSubnormals flush;
      for (int64_t unit = begin; unit < end; ++unit) Advance(unit);
    });
  }

  // Brings one atom up to date.
  void Advance(int64_t unit) {
    if (IsUpToDate(p_, unit)) return;
    if (state_.rests[unit] == 0) {
      float* atom = p_.atoms + unit * p_.width;
      float* velocity = p_.atom_velocity + unit * p_.width;
      const bool moves =
          state_.kernels.advance(atom, velocity, p_.shift[unit], p_.decay[unit], p_.width, atom, velocity);
      // Scaling to unit length may change an atom that does not move.
      state_.rests[unit] = !moves && !p_.unit_norm ? 1 : 0;
    }
    p_.shift[unit] = 0;
    p_.decay[unit] = 1;
  }

  // Computes residuals and their products with the active atoms, row by row while the row is in the innermost cache.
  void Decode() {
    context_.pool.ParallelFor(args_.rows, kStepGrainRows, [&](int64_t begin, int64_t end, int thread) {
      std::vector<const float*>& atoms = state_.scratch[thread].rows;
      atoms.resize(static_cast<size_t>(args_.k));
      state_.scratch[thread].partial.resize(static_cast<size_t>(16 * args_.k));
      for (int64_t i = begin; i < end; ++i) {
        int32_t* indices = args_.indices + i * args_.k;
        float* values = args_.values + i * args_.k;
        if (sparse_) state_.sparse.Encode(i, thread, indices, values);
        for (int64_t j = 0; j < args_.k; ++j) {
          atoms[j] = sparse_ ? state_.sparse.atom(indices[j]) : p_.atoms + indices[j] * p_.width;
        }
        float* residual = state_.residual.data() + i * p_.width;
        state_.kernels.reconstruct(atoms.data(), values, args_.k, p_.decoder_bias, args_.x + i * p_.width, p_.width,
                                   residual, state_.products.data() + i * args_.k,
                                   state_.scratch[thread].partial.data());
        state_.row_errors[i] = context_.rows.squared_norm(residual, p_.width);
      }
    });
    *args_.squared_error = 0;
    for (const double error : state_.row_errors) *args_.squared_error += error;
  }

  // Updates the decoder bias while one thread sorts the codes by unit.
  void UpdateDecoder() {
    const int64_t ranges = DivideUp(p_.width, kStepGrainColumns);
    context_.pool.ParallelFor(1 + ranges, 1, [&](int64_t range, int64_t, int thread) {
      if (range == 0) {
        state_.codes.Sort(args_.indices, args_.rows, args_.k, p_.units);
        return;
      }
      const support::FlushSubnormals flush;
      const int64_t begin = (range - 1) * kStepGrainColumns;
      UpdateDecoderBias(begin, std::min(kStepGrainColumns, p_.width - begin), &state_.scratch[thread]);
    });
  }

  void Update() {
    context_.pool.ParallelFor(p_.units, kStepGrainUnits, [&](int64_t begin, int64_t end, int thread) {
      const support::FlushSubnormals flush;
      for (int64_t unit = begin; unit < end; ++unit) UpdateUnit(unit, &state_.scratch[thread].scales);
    });
  }

  void UpdateUnit(int64_t unit, std::vector<float>* scales) {
    const int64_t count = state_.codes.count(unit);
    CountActiveRows(args_, unit, static_cast<int32_t>(count));
    const bool rested = count == 0 && state_.rests[unit] != 0;
    double bias_gradient = 0;
    AtomMeasures measures;
    if (count > 0) {
      state_.rests[unit] = 0;
      scales->resize(static_cast<size_t>(2 * count));
      float* residual_scales = scales->data();
      float* x_scales = residual_scales + count;
      const int64_t* entries = state_.codes.entries(unit);
      for (int64_t e = 0; e < count; ++e) {
        residual_scales[e] = twice_scale_ * args_.values[entries[e]];
        x_scales[e] = twice_scale_ * state_.products[entries[e]];
        bias_gradient += x_scales[e];
      }
      const ByteAtoms& bytes = state_.sparse.atoms();
      measures = state_.kernels.update_atom(
          {state_.residual.data(), args_.x, state_.codes.rows(unit), residual_scales, x_scales, count}, args_.rate,
          args_.momentum, p_.shift[unit], p_.decay[unit], p_.width, p_.atoms + unit * p_.width,
          p_.atom_velocity + unit * p_.width, sparse_ ? bytes.bytes(unit) : nullptr, bytes.scale(unit));
      p_.shift[unit] = 0;
      p_.decay[unit] = 1;
    } else {
      PutOff(unit);
      if (!sparse_) Advance(unit);
    }
    if (p_.unit_norm) Normalise(unit);
    p_.bias_velocity[unit] = args_.momentum * p_.bias_velocity[unit] - args_.rate * static_cast<float>(bias_gradient);
    const float bias = p_.bias[unit];
    p_.bias[unit] += p_.bias_velocity[unit];
    if (rested && p_.bias[unit] == bias) return;
    if (!sparse_) {
      state_.dictionary.Update(context_, unit);
    } else if (count > 0) {
      state_.sparse.UpdateAtom(unit, measures);
    } else if (IsUpToDate(p_, unit)) {
      state_.sparse.UpdateAtom(unit);
    } else {
      state_.sparse.UpdateBias(unit);
    }
  }

  // Steps an atom without a gradient.
  void PutOff(int64_t unit) {
    p_.decay[unit] *= args_.momentum;
    p_.shift[unit] += p_.decay[unit];
    if (p_.decay[unit] < kSpentDecay) Advance(unit);
  }

  void Normalise(int64_t unit) {
    Advance(unit);
    float* atom = p_.atoms + unit * p_.width;
    const double squared_norm = context_.rows.squared_norm(atom, p_.width);
    if (squared_norm > 0) context_.rows.scale(1 / std::sqrt(squared_norm), atom, p_.width);
  }

  // Updates elements begin .. begin + count - 1 of the decoder bias.
  void UpdateDecoderBias(int64_t begin, int64_t count, DictionaryInTraining::Scratch* scratch) {
    scratch->rows.clear();
    for (int64_t i = 0; i < args_.rows; ++i) scratch->rows.push_back(state_.residual.data() + i * p_.width + begin);
    scratch->scales.assign(static_cast<size_t>(args_.rows), twice_scale_);
    float gradient[kStepGrainColumns];
    context_.rows.weighted_sum(nullptr, scratch->rows.data(), scratch->scales.data(), args_.rows, count, gradient);
    context_.rows.momentum(p_.decoder_bias + begin, p_.decoder_velocity + begin, gradient, count, args_.rate,
                           args_.momentum);
  }

  support::Context& context_;
  const TiedStepArgs& args_;
  DictionaryInTraining& state_;
  const TiedParameters& p_;
  const float twice_scale_;
  bool sparse_ = false;  // state_.sparse encodes the batch
};

}  // namespace

void RefreshTiedDictionary(DictionaryInTraining& dictionary) {
  dictionary.Disturb();
  dictionary.sparse.Invalidate();
  dictionary.dictionary_steps = 0;
}

absl::Status TiedStep(support::Context& context, const TiedStepArgs& args) { return StepCall(context, args).Run(); }

absl::Status TiedAuxiliaryStep(HostBackend& backend, support::Context& context, const TiedAuxiliaryStepArgs& args) {
  auto& state = static_cast<DictionaryInTraining&>(*args.dictionary);
  // The backend's own PrepareDictionary may measure which filter is the fastest, which takes longer than the step.
  const auto prepare = [&](const float* atoms, const float* bias, int64_t units,
                           int64_t width) -> absl::StatusOr<std::unique_ptr<Dictionary>> {
    auto dictionary = std::make_unique<codes::PreparedDictionary>(atoms, bias, units, width);
    dictionary->set_filter(context.filter == support::Filter::kFloats ? support::Filter::kFloats
                                                                      : support::Filter::kBytes);
    KWTA_RETURN_IF_ERROR(dictionary->Refresh(context));
    return dictionary;
  };
  KWTA_ASSIGN_OR_RETURN(const std::vector<int32_t> units, ComposeTiedAuxiliaryStep(backend, args, prepare));
  if (units.empty()) return absl::OkStatus();
  for (const int32_t unit : units) state.rests[unit] = 0;
  if (state.dictionary_steps > 0) {
    for (const int32_t unit : units) state.dictionary.Update(context, unit);
    if (!state.dictionary.FinishUpdates()) state.dictionary_steps = 0;
  }
  if (state.sparse.stale()) return absl::OkStatus();
  for (const int32_t unit : units) state.sparse.UpdateAtom(unit);
  return absl::OkStatus();
}

absl::Status TiedAtoms(support::Context& context, const TiedAtomsArgs& args) {
  const auto& dictionary = static_cast<const DictionaryInTraining&>(*args.dictionary);
  const TiedParameters& p = dictionary.parameters;
  context.pool.ParallelFor(p.units, kStepGrainUnits, [&](int64_t begin, int64_t end, int) {
    const support::FlushSubnormals flush;
    std::vector<float> not_asked_for(args.atom_velocity == nullptr ? static_cast<size_t>(p.width) : 0);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t at = unit * p.width;
      float* velocity = args.atom_velocity != nullptr ? args.atom_velocity + at : not_asked_for.data();
      if (IsUpToDate(p, unit)) {
        std::copy_n(p.atoms + at, p.width, args.atoms + at);
        std::copy_n(p.atom_velocity + at, p.width, velocity);
      } else {
        dictionary.kernels.advance(p.atoms + at, p.atom_velocity + at, p.shift[unit], p.decay[unit], p.width,
                                   args.atoms + at, velocity);
      }
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::tied
