#include "core/encoders/tied_learner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/learner_state.h"
#include "core/encoders/step_record.h"
#include "core/encoders/tied_encoder.h"

namespace kwta {
namespace {

// Statistics of activity cover at least this many rows, if training passed so many.
constexpr int64_t kWindowRows = 10'000;
// Separate the numbers of the corruption, and those of dropout, from all others that the seed draws.
constexpr uint64_t kCorruptionSeed = 0x636f727275707400;
constexpr uint64_t kDropoutSeed = 0x64726f706f757400;

constexpr char kRowsSeen[] = "rows_seen";
constexpr char kRunningMean[] = "mean_activity";

// Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, equation (16);
// then rows get the length that updates keep.
std::vector<float> NormalisedInitialisation(int64_t units, int64_t width, const ParameterSet::RowLength& row_length,
                                            uint64_t seed) {
  Rng rng(seed, kWeightStream);
  const double bound = std::sqrt(6.0 / static_cast<double>(units + width));
  std::vector<float> weights(units * width);
  MomentumUpdateArgs length;
  length.unit_norm = row_length.unit;
  length.max_norm = row_length.max;
  for (int64_t j = 0; j < units; ++j) {
    float* const row = weights.data() + j * width;
    double squared = 0;
    for (int64_t d = 0; d < width; ++d) {
      row[d] = static_cast<float>(bound * (2 * rng.Uniform() - 1));
      squared += double{row[d]} * row[d];
    }
    const double factor = LengthFactor(length, squared);
    for (int64_t d = 0; d < width; ++d) row[d] = static_cast<float>(row[d] * factor);
  }
  return weights;
}

// How active units were in some rows. Its sums are in the backend's memory.
class ActivityWindow {
 public:
  explicit ActivityWindow(const char* name) : name_(name) {}

  absl::Status Create(Backend& backend, int64_t units) {
    units_ = units;
    KWTA_ASSIGN_OR_RETURN(sums_, backend.Allocate(3 * units * sizeof(double)));
    return Clear(backend);
  }
  absl::Status Clear(Backend& backend) {
    rows_ = 0;
    return backend.Clear(sums_.as<void>(), sums_.bytes());
  }
  // Exchanges the contents.
  void Swap(ActivityWindow& other) {
    std::swap(rows_, other.rows_);
    std::swap(sums_, other.sums_);
  }

  int64_t rows() const { return rows_; }
  void CountRows(int64_t rows) { rows_ += rows; }
  // RegularisedPassArgs::activity_sums.
  double* sums() { return sums_.as<double>(); }
  absl::StatusOr<std::vector<double>> Read(Backend& backend) const {
    std::vector<double> sums(3 * units_);
    KWTA_RETURN_IF_ERROR(backend.CopyToHost(sums_.as<void>(), sums.data(), sums_.bytes()));
    return sums;
  }

  // Tensors have no binary64, so a checkpoint has the bits of the sums as integers.
  absl::Status Save(Backend& backend, TensorMap* state) const {
    KWTA_ASSIGN_OR_RETURN((*state)[Named("sums")], Download(backend, {3, units_}, sums_, DType::kI64));
    Tensor rows(DType::kI64, {1});
    *rows.as<int64_t>() = rows_;
    (*state)[Named("rows")] = std::move(rows);
    return absl::OkStatus();
  }
  absl::Status Restore(Backend& backend, const TensorMap& state) {
    KWTA_ASSIGN_OR_RETURN(const Tensor* rows, FindState(state, Named("rows"), DType::kI64, {1}));
    rows_ = *rows->as<int64_t>();
    return Upload(backend, state, Named("sums"), {3, units_}, &sums_, DType::kI64);
  }

 private:
  std::string Named(absl::string_view what) const { return absl::StrCat(name_, ".", what); }

  const char* const name_;
  int64_t units_ = 0, rows_ = 0;
  Buffer sums_;
};

class TiedLearner : public Learner {
 public:
  TiedLearner(const TiedLearning& learning, const LearnerSetup& setup)
      : units_(learning.pass.units),
        width_(ElementCount(setup.row_shape)),
        backend_(setup.backend),
        pass_(learning.pass),
        row_length_(learning.row_length),
        parameters_(v1::OPTIMISER_SGD, backend_) {
    pass_.width = width_;
    pass_.fixed_lengths = row_length_.unit;
    pass_.corruption.seed = setup.training.seed() ^ kCorruptionSeed;
    pass_.dropout.seed = setup.training.seed() ^ kDropoutSeed;
  }

  absl::Status Initialise(uint64_t seed, const std::vector<float>& offset) {
    if (!offset.empty()) {
      KWTA_ASSIGN_OR_RETURN(offset_, CopyToBackend(*backend_, offset.data(), offset.size() * sizeof(float)));
      pass_.offset = offset_.as<float>();
    }
    KWTA_ASSIGN_OR_RETURN(
        atoms_, parameters_.Add("atoms", {units_, width_}, NormalisedInitialisation(units_, width_, row_length_, seed),
                                row_length_));
    KWTA_ASSIGN_OR_RETURN(bias_, parameters_.Add("bias", {units_}, std::vector<float>(units_)));
    KWTA_ASSIGN_OR_RETURN(decoder_bias_, parameters_.Add("decoder_bias", {width_}, std::vector<float>(width_)));
    const std::vector<float> none(units_, -1.0f);  // see SparsityPenalty::running_mean
    KWTA_ASSIGN_OR_RETURN(running_mean_, CopyToBackend(*backend_, none.data(), units_ * sizeof(float)));
    KWTA_RETURN_IF_ERROR(window_.Create(*backend_, units_));
    KWTA_RETURN_IF_ERROR(last_window_.Create(*backend_, units_));
    return record_.Create(backend_, units_, 2);
  }

  int64_t units() const override { return units_; }
  int64_t ScheduledK(double) const override { return units_; }
  absl::Status Step(const float* x, int64_t rows, const StepOptions& options) override;
  absl::StatusOr<StepStatistics> TakeStatistics() override { return record_.Take(); }
  absl::Status Describe(v1::TrainingStatistics* statistics) const override;
  absl::StatusOr<TensorMap> Parameters() const override;
  absl::StatusOr<TensorMap> Checkpoint() const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  // The statistics of the last full window, or of all rows if there was none.
  struct Activity {
    int64_t rows;
    std::vector<double> fraction, mean, variance;  // [units]
  };
  absl::StatusOr<Activity> Measure() const;

  const int64_t units_, width_;
  const std::shared_ptr<Backend> backend_;
  RegularisedPassArgs pass_;  // what all steps share
  const ParameterSet::RowLength row_length_;
  ParameterSet parameters_;
  int atoms_ = 0, bias_ = 0, decoder_bias_ = 0;  // indices into parameters_
  Buffer running_mean_;                          // [units]
  Buffer offset_;                                // [width], LearnerSetup::offset; or empty
  int64_t rows_seen_ = 0;                        // by all steps: numbers the rows for the corruption
  ActivityWindow window_{"window"}, last_window_{"last_window"};
  StepRecord record_;
  StagedInput input_;  // [rows, width]
};

absl::Status TiedLearner::Step(const float* x, int64_t rows, const StepOptions& options) {
  if (pass_.sigmoid_output) {
    KWTA_RETURN_IF_ERROR(CheckInUnitInterval(x, rows, width_, "a sigmoid decoder reconstructs probabilities"));
  }
  if (window_.rows() >= kWindowRows) {
    window_.Swap(last_window_);
    KWTA_RETURN_IF_ERROR(window_.Clear(*backend_));
  }
  KWTA_RETURN_IF_ERROR(record_.Begin());
  KWTA_RETURN_IF_ERROR(input_.Stage(*backend_, x, rows * width_ * sizeof(float)));
  RegularisedPassArgs pass = pass_;
  pass.atoms = parameters_.value(atoms_);
  pass.bias = parameters_.value(bias_);
  pass.decoder_bias = parameters_.value(decoder_bias_);
  pass.x = input_.as<float>();
  pass.rows = rows;
  pass.corruption.first_row = pass.dropout.first_row = static_cast<uint64_t>(rows_seen_);
  pass.sparsity.running_mean = running_mean_.as<float>();
  pass.gradient_atoms = parameters_.gradient(atoms_);
  pass.gradient_bias = parameters_.gradient(bias_);
  pass.gradient_decoder_bias = parameters_.gradient(decoder_bias_);
  pass.active_rows = record_.active_rows();
  pass.activity_sums = window_.sums();
  pass.squared_error = record_.error(0);
  pass.penalty = record_.error(1);
  KWTA_RETURN_IF_ERROR(backend_->RegularisedPass(pass));
  window_.CountRows(rows);
  rows_seen_ += rows;
  if (options.measure_gradient) {
    KWTA_ASSIGN_OR_RETURN(const double norm, parameters_.GradientNorm());
    record_.set_gradient_norm(norm);
  }
  return parameters_.Update(options);
}

absl::StatusOr<TiedLearner::Activity> TiedLearner::Measure() const {
  const ActivityWindow& window = last_window_.rows() > 0 ? last_window_ : window_;
  KWTA_ASSIGN_OR_RETURN(const std::vector<double> sums, window.Read(*backend_));
  Activity activity{window.rows(), {}, {}, {}};
  const double rows = std::max<double>(1, static_cast<double>(window.rows()));
  for (int64_t j = 0; j < units_; ++j) {
    const double mean = sums[j] / rows;
    activity.fraction.push_back(sums[2 * units_ + j] / rows);
    activity.mean.push_back(mean);
    activity.variance.push_back(std::max(0.0, sums[units_ + j] / rows - mean * mean));
  }
  return activity;
}

absl::Status TiedLearner::Describe(v1::TrainingStatistics* statistics) const {
  KWTA_ASSIGN_OR_RETURN(const Activity activity, Measure());
  const auto mean = [this](const std::vector<double>& of_units) {
    double sum = 0;
    for (const double each : of_units) sum += each;
    return sum / static_cast<double>(units_);
  };
  statistics->set_activation_fraction(mean(activity.fraction));
  statistics->set_mean_pre_activation(mean(activity.mean));
  statistics->set_pre_activation_variance(mean(activity.variance));
  statistics->set_activity_window_rows(activity.rows);
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> TiedLearner::Parameters() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap tensors, parameters_.Values());
  KWTA_ASSIGN_OR_RETURN(const Activity activity, Measure());
  const auto add = [&](const char* name, const std::vector<double>& values) {
    Tensor tensor(DType::kF32, {units_});
    std::copy(values.begin(), values.end(), tensor.as<float>());
    tensors[name] = std::move(tensor);
  };
  add("activation_fraction", activity.fraction);
  add("pre_activation_mean", activity.mean);
  add("pre_activation_variance", activity.variance);
  return tensors;
}

absl::StatusOr<TensorMap> TiedLearner::Checkpoint() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap state, parameters_.State());
  KWTA_ASSIGN_OR_RETURN(state[kRunningMean], Download(*backend_, {units_}, running_mean_));
  Tensor seen(DType::kI64, {1});
  *seen.as<int64_t>() = rows_seen_;
  state[kRowsSeen] = std::move(seen);
  KWTA_RETURN_IF_ERROR(window_.Save(*backend_, &state));
  KWTA_RETURN_IF_ERROR(last_window_.Save(*backend_, &state));
  return state;
}

absl::Status TiedLearner::Restore(const TensorMap& state) {
  KWTA_RETURN_IF_ERROR(record_.Clear());
  KWTA_RETURN_IF_ERROR(parameters_.Restore(state));
  KWTA_RETURN_IF_ERROR(Upload(*backend_, state, kRunningMean, {units_}, &running_mean_));
  KWTA_ASSIGN_OR_RETURN(const Tensor* seen, FindState(state, kRowsSeen, DType::kI64, {1}));
  rows_seen_ = *seen->as<int64_t>();
  KWTA_RETURN_IF_ERROR(window_.Restore(*backend_, state));
  return last_window_.Restore(*backend_, state);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> CreateTiedLearner(const TiedLearning& learning, const LearnerSetup& setup) {
  auto learner = std::make_unique<TiedLearner>(learning, setup);
  KWTA_RETURN_IF_ERROR(learner->Initialise(setup.training.seed(), setup.offset));
  return learner;
}

}  // namespace kwta
