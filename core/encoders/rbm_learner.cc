// Contrastive divergence: Hinton, "Training products of experts by minimizing contrastive divergence", 2002, and for
// persistent chains Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient",
// 2008. The backend computes products; what is done to each element is done here, on the backend's number of threads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/aligned_vector.h"
#include "core/base/counter_rng.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/encoders/learner_state.h"
#include "core/encoders/rbm.h"
#include "core/encoders/tied_encoder.h"

namespace kwta {
namespace {

using Numbers = AlignedVector<float>;

// Separates the numbers of the chains from all others that the seed draws.
constexpr uint64_t kGibbsSeed = 0x6769626273000000;
// Below this share of hidden units that are on, sums over these beat dense products.
constexpr double kSparseShare = 0.2;
// Velocities below this become zero, or they would decay into subnormal numbers and stay there.
constexpr float kSmallestVelocity = 1e-30f;

constexpr char kChains[] = "chains";
constexpr char kUpdates[] = "updates";

// 1 / (1 + exp(-a)) to within 4e-6 of itself, in a form that compilers turn into vector code. NaN if a is not finite.
// Means nothing beyond 2^21, where training has diverged.
inline float Sigmoid(float a) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kRounding = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest whole number in the lowest bits
  constexpr int32_t kRoundingBits = 0x4B400000;
  const float power = -a * kLog2E;
  const float rounded = power + kRounding;
  int32_t bits;
  std::memcpy(&bits, &rounded, sizeof(bits));
  const int32_t whole = std::min(std::max(bits - kRoundingBits, -126), 126);
  const float rest = power - (rounded - kRounding);  // -0.5 .. 0.5
  // Taylor's series of 2^rest.
  const float fourth = 0.00961812911f + rest * (0.00133335581f + rest * 0.000154035304f);
  const float second = 0.240226507f + rest * (0.0555041087f + rest * fourth);
  const float series = 1 + rest * (0.693147181f + rest * second);
  std::memcpy(&bits, &series, sizeof(bits));
  bits += whole * (1 << 23);
  float exponential;
  std::memcpy(&exponential, &bits, sizeof(exponential));
  return 1 / (1 + exponential) + 0 * a;
}

// Rows of binary units, and for each row which of them are on.
struct Draws {
  int64_t rows = 0;
  Numbers values;                        // [rows, units]
  std::vector<std::vector<int32_t>> on;  // [rows], ascending
};

void ListOn(const float* drawn, int64_t units, std::vector<int32_t>* on) {
  on->resize(units);
  int64_t count = 0;
  for (int64_t j = 0; j < units; ++j) {
    (*on)[count] = static_cast<int32_t>(j);
    count += drawn[j] != 0;
  }
  on->resize(count);
}

// A matrix or a vector, with what SGD with momentum keeps for it.
struct RbmParameter {
  const char* name;
  Shape shape;
  Numbers value, velocity, gradient;
};

class RbmLearner : public Learner {
 public:
  RbmLearner(const v1::RbmSpec& spec, int64_t width, uint64_t seed, std::shared_ptr<Backend> backend)
      : spec_(spec),
        units_(spec.units()),
        width_(width),
        seed_(seed),
        backend_(std::move(backend)),
        pool_(backend_->threads()),
        active_rows_(units_) {
    for (RbmParameter* parameter : {&atoms_, &bias_, &visible_bias_}) {
      for (Numbers* numbers : {&parameter->value, &parameter->velocity, &parameter->gradient}) {
        numbers->resize(ElementCount(parameter->shape));
      }
    }
    Rng rng(seed, kWeightStream);
    for (float& weight : atoms_.value) weight = static_cast<float>(spec.init_sigma() * rng.Gaussian());
    if (spec.persistent()) Resize(spec.chains(), units_, &chains_);
  }

  int64_t units() const override { return units_; }
  int64_t ScheduledK(double) const override { return units_; }
  absl::Status Step(const float* x, int64_t rows, const StepOptions& options) override;
  absl::StatusOr<StepStatistics> TakeStatistics() override {
    StepStatistics taken;
    taken.active_rows.resize(units_);
    std::swap(taken.active_rows, active_rows_);
    taken.squared_errors = std::exchange(squared_errors_, {});
    taken.gradient_norm = std::exchange(gradient_norm_, std::nullopt);
    return taken;
  }
  absl::Status Describe(v1::TrainingStatistics* statistics) const override;
  absl::StatusOr<TensorMap> Parameters() const override;
  absl::StatusOr<TensorMap> Checkpoint() const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  static void Resize(int64_t rows, int64_t units, Draws* draws) {
    draws->rows = rows;
    draws->values.resize(rows * units);
    draws->on.resize(rows);
  }
  // out[m, n] = a[m, k] b, b [k, n], or [n, k] if transposed; all in host memory.
  absl::Status Product(const float* a, const float* b, bool transposed, int64_t m, int64_t n, int64_t k, float* out);
  // Probabilities of the hidden units for visible[rows, width].
  absl::Status HiddenGiven(const float* visible, int64_t rows, Numbers* probabilities);
  // Probabilities of the visible units for hidden[rows, units], or for those that are on if few are.
  absl::Status VisibleGiven(const Draws& hidden, Numbers* probabilities);
  absl::Status VisibleGiven(const float* hidden, int64_t rows, Numbers* probabilities);
  // Turns sums[rows, n] into sigmoid(sums + bias).
  void Squash(const Numbers& bias, int64_t rows, Numbers* sums);
  // Draws units with these probabilities [rows, units].
  void Draw(const Numbers& probabilities, int64_t rows, int64_t units, Draws* draws);
  // Starts the visible biases at the log odds of the mean of x.
  void StartVisibleBias(const float* x, int64_t rows);
  // Runs the chains; leaves their last visible units in visible_ and hidden probabilities in chain_hidden_.
  absl::Status RunChains(Draws* hidden);
  // The gradients, from the data and hidden_, and from the chains.
  absl::Status Gradients(const float* x, int64_t rows, int64_t chains);
  void Update(const StepOptions& options);

  const v1::RbmSpec spec_;
  const int64_t units_, width_;
  const uint64_t seed_;
  const std::shared_ptr<Backend> backend_;
  ThreadPool pool_;
  RbmParameter atoms_{"atoms", {units_, width_}, {}, {}, {}};
  RbmParameter bias_{"bias", {units_}, {}, {}, {}};
  RbmParameter visible_bias_{"decoder_bias", {width_}, {}, {}, {}};
  Draws chains_;  // hidden units of the persistent chains, [chains, units]
  uint64_t updates_ = 0;
  uint64_t draws_ = 0;  // of this update

  // Of the current update.
  Numbers hidden_;          // [rows, units]: probabilities given the data
  Draws hidden_draws_;      // drawn from them
  Numbers reconstruction_;  // [rows, width]
  Numbers visible_;         // [chains, width]
  Numbers chain_hidden_;    // [chains, units]
  Draws visible_draws_;
  Numbers left_, right_;                 // of the product that is the atoms' gradient
  std::vector<int32_t> sparse_indices_;  // [rows, entries]
  std::vector<float> sparse_values_;     // [rows, entries]
  std::vector<double> row_errors_;       // [rows]
  std::vector<float> last_rows_;         // the batch, for Describe
  // Since TakeStatistics.
  std::vector<int64_t> active_rows_;
  std::vector<double> squared_errors_;
  std::optional<double> gradient_norm_;
};

absl::Status RbmLearner::Product(const float* a, const float* b, bool transposed, int64_t m, int64_t n, int64_t k,
                                 float* out) {
  KWTA_ASSIGN_OR_RETURN(const StagedInput left, StagedInput::Create(*backend_, a, m * k * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(const StagedInput right, StagedInput::Create(*backend_, b, k * n * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput output, StagedOutput::Create(*backend_, out, m * n * sizeof(float)));
  GemmArgs args;
  args.a = left.as<float>();
  args.b = right.as<float>();
  args.c = output.as<float>();
  args.m = m;
  args.n = n;
  args.k = k;
  args.transpose_b = transposed;
  KWTA_RETURN_IF_ERROR(backend_->Gemm(args));
  return output.Finish(*backend_);
}

void RbmLearner::Squash(const Numbers& bias, int64_t rows, Numbers* sums) {
  const auto n = static_cast<int64_t>(bias.size());
  pool_.ParallelFor(rows, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* const row = sums->data() + i * n;
      for (int64_t j = 0; j < n; ++j) row[j] = Sigmoid(row[j] + bias[j]);
    }
  });
}

absl::Status RbmLearner::HiddenGiven(const float* visible, int64_t rows, Numbers* probabilities) {
  probabilities->resize(rows * units_);
  KWTA_RETURN_IF_ERROR(
      Product(visible, atoms_.value.data(), /*transposed=*/true, rows, units_, width_, probabilities->data()));
  Squash(bias_.value, rows, probabilities);
  return absl::OkStatus();
}

absl::Status RbmLearner::VisibleGiven(const float* hidden, int64_t rows, Numbers* probabilities) {
  probabilities->resize(rows * width_);
  KWTA_RETURN_IF_ERROR(
      Product(hidden, atoms_.value.data(), /*transposed=*/false, rows, width_, units_, probabilities->data()));
  Squash(visible_bias_.value, rows, probabilities);
  return absl::OkStatus();
}

absl::Status RbmLearner::VisibleGiven(const Draws& hidden, Numbers* probabilities) {
  size_t entries = 0, most = 1;
  for (const std::vector<int32_t>& on : hidden.on) {
    entries += on.size();
    most = std::max(most, on.size());
  }
  if (static_cast<double>(entries) > kSparseShare * static_cast<double>(hidden.values.size())) {
    return VisibleGiven(hidden.values.data(), hidden.rows, probabilities);
  }
  // SparseDecode takes rows of the same number of entries, so the shorter ones get entries of zero.
  const auto k = static_cast<int64_t>(most);
  sparse_indices_.assign(hidden.rows * k, 0);
  sparse_values_.assign(hidden.rows * k, 0.0f);
  for (int64_t i = 0; i < hidden.rows; ++i) {
    std::copy(hidden.on[i].begin(), hidden.on[i].end(), sparse_indices_.begin() + i * k);
    std::fill_n(sparse_values_.begin() + i * k, hidden.on[i].size(), 1.0f);
  }
  probabilities->resize(hidden.rows * width_);
  KWTA_ASSIGN_OR_RETURN(const StagedInput atoms,
                        StagedInput::Create(*backend_, atoms_.value.data(), atoms_.value.size() * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(const StagedInput indices, StagedInput::Create(*backend_, sparse_indices_.data(),
                                                                       sparse_indices_.size() * sizeof(int32_t)));
  KWTA_ASSIGN_OR_RETURN(const StagedInput values,
                        StagedInput::Create(*backend_, sparse_values_.data(), sparse_values_.size() * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput output,
                        StagedOutput::Create(*backend_, probabilities->data(), probabilities->size() * sizeof(float)));
  SparseDecodeArgs args;
  args.atoms = atoms.as<float>();
  args.indices = indices.as<int32_t>();
  args.values = values.as<float>();
  args.rows = hidden.rows;
  args.k = k;
  args.width = width_;
  args.output = output.as<float>();
  KWTA_RETURN_IF_ERROR(backend_->SparseDecode(args));
  KWTA_RETURN_IF_ERROR(output.Finish(*backend_));
  Squash(visible_bias_.value, hidden.rows, probabilities);
  return absl::OkStatus();
}

void RbmLearner::Draw(const Numbers& probabilities, int64_t rows, int64_t units, Draws* draws) {
  Resize(rows, units, draws);
  // No two draws of a run have the same stream: an update has at most 2 * 1000 + 1 draws of at most 65,536 rows.
  const uint64_t stream = ((updates_ << 12) + draws_++) << 16;
  pool_.ParallelFor(rows, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* const p = probabilities.data() + i * units;
      float* const drawn = draws->values.data() + i * units;
      ForCountedNumbers(CounterRng(seed_ ^ kGibbsSeed, stream + static_cast<uint64_t>(i)), units,
                        [&](int64_t j, uint32_t number) {
                          drawn[j] = static_cast<float>(number >> 8) * 0x1.0p-24f < p[j] ? 1.0f : 0.0f;
                        });
      ListOn(drawn, units, &draws->on[i]);
    }
  });
}

void RbmLearner::StartVisibleBias(const float* x, int64_t rows) {
  for (int64_t d = 0; d < width_; ++d) {
    double sum = 0.5;  // half a row each of zero and one keeps the odds finite
    for (int64_t i = 0; i < rows; ++i) sum += x[i * width_ + d];
    const double mean = sum / static_cast<double>(rows + 1);
    visible_bias_.value[d] = static_cast<float>(std::log(mean / (1 - mean)));
  }
}

absl::Status RbmLearner::RunChains(Draws* hidden) {
  const int64_t chains = hidden->rows;
  for (uint32_t step = 1; step <= spec_.gibbs_steps(); ++step) {
    KWTA_RETURN_IF_ERROR(VisibleGiven(*hidden, &visible_));
    if (step == 1 && !spec_.persistent()) reconstruction_ = visible_;
    if (spec_.sample_visible()) {
      Draw(visible_, chains, width_, &visible_draws_);
      std::swap(visible_, visible_draws_.values);
    }
    KWTA_RETURN_IF_ERROR(HiddenGiven(visible_.data(), chains, &chain_hidden_));
    if (step < spec_.gibbs_steps() || spec_.persistent()) Draw(chain_hidden_, chains, units_, hidden);
  }
  return absl::OkStatus();
}

absl::Status RbmLearner::Gradients(const float* x, int64_t rows, int64_t chains) {
  const int64_t terms = rows + chains;
  left_.resize(units_ * terms);
  right_.resize(terms * width_);
  const auto data_share = static_cast<float>(-1.0 / static_cast<double>(rows));
  const auto chain_share = static_cast<float>(1.0 / static_cast<double>(chains));
  constexpr int64_t kTile = 16;  // units whose rows are written together: the reads share cache lines
  pool_.ParallelFor(units_, kTile, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = 0; t < terms; ++t) {
      const float* const from = t < rows ? &hidden_[t * units_] : &chain_hidden_[(t - rows) * units_];
      const float share = t < rows ? data_share : chain_share;
      for (int64_t j = begin; j < end; ++j) left_[j * terms + t] = share * from[j];
    }
    for (int64_t j = begin; j < end; ++j) {
      double sum = 0;
      for (int64_t t = 0; t < terms; ++t) sum += left_[j * terms + t];
      bias_.gradient[j] = static_cast<float>(sum);
      for (int64_t i = 0; i < rows; ++i) {
        active_rows_[j] += hidden_[i * units_ + j] > ActivationThreshold(Activation::kSigmoid);
      }
    }
  });
  std::copy_n(x, rows * width_, right_.begin());
  std::copy_n(visible_.begin(), chains * width_, right_.begin() + rows * width_);
  std::vector<double> sums(width_);
  for (int64_t t = 0; t < terms; ++t) {
    const double share = t < rows ? data_share : chain_share;
    for (int64_t d = 0; d < width_; ++d) sums[d] += share * right_[t * width_ + d];
  }
  std::copy(sums.begin(), sums.end(), visible_bias_.gradient.begin());
  return Product(left_.data(), right_.data(), /*transposed=*/false, units_, width_, terms, atoms_.gradient.data());
}

void RbmLearner::Update(const StepOptions& options) {
  for (RbmParameter* parameter : {&atoms_, &bias_, &visible_bias_}) {
    const float decay = parameter == &atoms_ ? spec_.weight_decay() : 0;
    pool_.ParallelFor(static_cast<int64_t>(parameter->value.size()), 16384, [&](int64_t begin, int64_t end, int) {
      float *const value = parameter->value.data(), *const velocity = parameter->velocity.data();
      const float* const gradient = parameter->gradient.data();
      for (int64_t e = begin; e < end; ++e) {
        const float next = options.momentum * velocity[e] - options.learning_rate * (gradient[e] + decay * value[e]);
        velocity[e] = std::fabs(next) < kSmallestVelocity ? 0 : next;
        value[e] += velocity[e];
      }
    });
  }
}

absl::Status RbmLearner::Step(const float* x, int64_t rows, const StepOptions& options) {
  KWTA_RETURN_IF_ERROR(
      CheckInUnitInterval(x, rows, width_, "they are the probabilities of a Boltzmann machine's visible units"));
  if (updates_ == 0) StartVisibleBias(x, rows);
  draws_ = 0;
  KWTA_RETURN_IF_ERROR(HiddenGiven(x, rows, &hidden_));
  if (spec_.persistent()) {
    KWTA_RETURN_IF_ERROR(VisibleGiven(hidden_.data(), rows, &reconstruction_));
    KWTA_RETURN_IF_ERROR(RunChains(&chains_));
  } else {
    Draw(hidden_, rows, units_, &hidden_draws_);
    KWTA_RETURN_IF_ERROR(RunChains(&hidden_draws_));
  }
  row_errors_.assign(rows, 0);
  pool_.ParallelFor(rows, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t e = i * width_; e < (i + 1) * width_; ++e) {
        row_errors_[i] += static_cast<double>(x[e] - reconstruction_[e]) * (x[e] - reconstruction_[e]);
      }
    }
  });
  double squared_error = 0;
  for (const double error : row_errors_) squared_error += error;
  squared_errors_.push_back(squared_error);
  KWTA_RETURN_IF_ERROR(Gradients(x, rows, spec_.persistent() ? chains_.rows : rows));
  if (options.measure_gradient) {
    double squared = 0;
    for (const RbmParameter* parameter : {&atoms_, &bias_, &visible_bias_}) {
      for (size_t e = 0; e < parameter->gradient.size(); ++e) {
        const double decay = parameter == &atoms_ ? double{spec_.weight_decay()} * parameter->value[e] : 0;
        squared += std::pow(parameter->gradient[e] + decay, 2);
      }
    }
    gradient_norm_ = std::sqrt(squared);
  }
  Update(options);
  last_rows_.assign(x, x + rows * width_);
  ++updates_;
  return absl::OkStatus();
}

absl::Status RbmLearner::Describe(v1::TrainingStatistics* statistics) const {
  const int64_t rows = static_cast<int64_t>(last_rows_.size()) / width_;
  if (rows == 0) return absl::OkStatus();
  KWTA_ASSIGN_OR_RETURN(const TensorMap parameters, Parameters());
  double sum = 0;
  for (const double energy : RbmFreeEnergy(parameters, last_rows_.data(), rows)) sum += energy;
  statistics->set_free_energy(sum / static_cast<double>(rows));
  return absl::OkStatus();
}

Tensor CopyNumbers(const Numbers& numbers, const Shape& shape) {
  Tensor tensor(DType::kF32, shape);
  std::copy(numbers.begin(), numbers.end(), tensor.as<float>());
  return tensor;
}

absl::StatusOr<TensorMap> RbmLearner::Parameters() const {
  TensorMap tensors;
  for (const RbmParameter* parameter : {&atoms_, &bias_, &visible_bias_}) {
    tensors[parameter->name] = CopyNumbers(parameter->value, parameter->shape);
  }
  return tensors;
}

absl::StatusOr<TensorMap> RbmLearner::Checkpoint() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap state, Parameters());
  for (const RbmParameter* parameter : {&atoms_, &bias_, &visible_bias_}) {
    state[absl::StrCat("velocity.", parameter->name)] = CopyNumbers(parameter->velocity, parameter->shape);
  }
  if (spec_.persistent()) state[kChains] = CopyNumbers(chains_.values, {chains_.rows, units_});
  Tensor updates(DType::kI64, {1});
  *updates.as<int64_t>() = static_cast<int64_t>(updates_);
  state[kUpdates] = std::move(updates);
  return state;
}

absl::Status RbmLearner::Restore(const TensorMap& state) {
  squared_errors_.clear();
  active_rows_.assign(units_, 0);
  gradient_norm_.reset();
  last_rows_.clear();
  const auto restore = [&state](const std::string& name, const Shape& shape, Numbers* numbers) -> absl::Status {
    KWTA_ASSIGN_OR_RETURN(const Tensor* tensor, FindState(state, name, DType::kF32, shape));
    std::copy_n(tensor->as<float>(), numbers->size(), numbers->begin());
    return absl::OkStatus();
  };
  for (RbmParameter* parameter : {&atoms_, &bias_, &visible_bias_}) {
    KWTA_RETURN_IF_ERROR(restore(parameter->name, parameter->shape, &parameter->value));
    KWTA_RETURN_IF_ERROR(restore(absl::StrCat("velocity.", parameter->name), parameter->shape, &parameter->velocity));
  }
  if (spec_.persistent()) {
    KWTA_RETURN_IF_ERROR(restore(kChains, {chains_.rows, units_}, &chains_.values));
    for (int64_t i = 0; i < chains_.rows; ++i) ListOn(chains_.values.data() + i * units_, units_, &chains_.on[i]);
  }
  KWTA_ASSIGN_OR_RETURN(const Tensor* updates, FindState(state, kUpdates, DType::kI64, {1}));
  updates_ = static_cast<uint64_t>(*updates->as<int64_t>());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> CreateRbmLearner(const LearnerSetup& setup) {
  if (!setup.mean.empty()) {
    return absl::InvalidArgumentError(
        "preprocessing.subtract_mean is true; expected false: a Boltzmann machine reads probabilities, 0 .. 1");
  }
  return std::make_unique<RbmLearner>(setup.encoder.rbm(), ElementCount(setup.row_shape), setup.training.seed(),
                                      setup.backend);
}

}  // namespace kwta
