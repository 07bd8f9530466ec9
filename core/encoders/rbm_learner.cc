// Contrastive divergence: Hinton, "Training products of experts by minimizing contrastive divergence", 2002, and for
// persistent chains Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient",
// 2008. The backend computes products; what is done to each element is done here, on the backend's number of threads.
// Weights are kept transposed, [width, units]: data and draws are mostly zeros, and are the left side of every product.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/aligned_vector.h"
#include "core/base/counter_rng.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/encoders/fast_sigmoid.h"
#include "core/encoders/learner_state.h"
#include "core/encoders/rbm.h"
#include "core/encoders/tied_encoder.h"

namespace kwta {
namespace {

using Numbers = AlignedVector<float>;

// Separates the numbers of the chains from all others that the seed draws.
constexpr uint64_t kGibbsSeed = 0x6769626273000000;
// Rows, and columns of a row-major matrix, that a thread takes at once.
constexpr int64_t kRowsAtOnce = 4, kColumnsAtOnce = 16;
// Velocities below this become zero, or they would decay into subnormal numbers and stay there.
constexpr float kSmallestVelocity = 1e-30f;

constexpr char kChains[] = "chains";
constexpr char kUpdates[] = "updates";

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
    for (RbmParameter* parameter : {&weights_, &bias_, &visible_bias_}) {
      for (Numbers* numbers : {&parameter->value, &parameter->velocity, &parameter->gradient}) {
        numbers->resize(ElementCount(parameter->shape));
      }
    }
    Rng rng(seed, kWeightStream);
    for (float& weight : weights_.value) weight = static_cast<float>(spec.init_sigma() * rng.Gaussian());
    if (spec.persistent()) chains_.resize(spec.chains() * units_);
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
  // out[m, n] = a[m, k] b, b [k, n], or [n, k] if transposed; all in host memory. Zeros of a cost nothing.
  absl::Status Product(const float* a, const float* b, bool transposed, int64_t m, int64_t n, int64_t k, float* out);
  // Probabilities of the hidden units for visible[rows, width].
  absl::Status HiddenGiven(const float* visible, int64_t rows, Numbers* probabilities);
  // Probabilities of the visible units for hidden[rows, units].
  absl::Status VisibleGiven(const float* hidden, int64_t rows, Numbers* probabilities);
  // Turns sums[rows, n] into sigmoid(sums + bias).
  void Squash(const Numbers& bias, int64_t rows, Numbers* sums);
  // Draws rows of units, 0 or 1, with these probabilities [rows, units].
  void Draw(const Numbers& probabilities, int64_t rows, int64_t units, Numbers* drawn);
  // Starts the visible biases at the log odds of the mean of x.
  void StartVisibleBias(const float* x, int64_t rows);
  // Runs chains from hidden[chains, units]; leaves their last visible units in visible_ and hidden probabilities in
  // chain_hidden_.
  absl::Status RunChains(int64_t chains, Numbers* hidden);
  // The gradients, from the data and hidden_, and from the chains.
  absl::Status Gradients(const float* x, int64_t rows, int64_t chains);
  void Update(const StepOptions& options);

  const v1::RbmSpec spec_;
  const int64_t units_, width_;
  const uint64_t seed_;
  const std::shared_ptr<Backend> backend_;
  ThreadPool pool_;
  RbmParameter weights_{"atoms", {width_, units_}, {}, {}, {}};  // W', see above
  RbmParameter bias_{"bias", {units_}, {}, {}, {}};
  RbmParameter visible_bias_{"decoder_bias", {width_}, {}, {}, {}};
  Numbers chains_;  // hidden units of the persistent chains, [chains, units]
  uint64_t updates_ = 0;
  uint64_t draws_ = 0;  // of this update

  // Of the current update.
  Numbers hidden_;          // [rows, units]: probabilities given the data
  Numbers hidden_draws_;    // drawn from them
  Numbers reconstruction_;  // [rows, width]
  Numbers visible_;         // [chains, width]
  Numbers chain_hidden_;    // [chains, units]
  Numbers visible_draws_;
  Numbers left_, right_;            // of the product that is the weights' gradient: [width, terms] and [terms, units]
  std::vector<double> row_errors_;  // [rows]
  std::vector<float> last_rows_;    // the batch, for Describe
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
  args.sparse_a = true;
  KWTA_RETURN_IF_ERROR(backend_->Gemm(args));
  return output.Finish(*backend_);
}

void RbmLearner::Squash(const Numbers& bias, int64_t rows, Numbers* sums) {
  const auto n = static_cast<int64_t>(bias.size());
  pool_.ParallelFor(rows, kRowsAtOnce, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* const row = sums->data() + i * n;
      for (int64_t j = 0; j < n; ++j) row[j] = FastSigmoid(row[j] + bias[j]);
    }
  });
}

absl::Status RbmLearner::HiddenGiven(const float* visible, int64_t rows, Numbers* probabilities) {
  probabilities->resize(rows * units_);
  KWTA_RETURN_IF_ERROR(
      Product(visible, weights_.value.data(), /*transposed=*/false, rows, units_, width_, probabilities->data()));
  Squash(bias_.value, rows, probabilities);
  return absl::OkStatus();
}

absl::Status RbmLearner::VisibleGiven(const float* hidden, int64_t rows, Numbers* probabilities) {
  probabilities->resize(rows * width_);
  KWTA_RETURN_IF_ERROR(
      Product(hidden, weights_.value.data(), /*transposed=*/true, rows, width_, units_, probabilities->data()));
  Squash(visible_bias_.value, rows, probabilities);
  return absl::OkStatus();
}

void RbmLearner::Draw(const Numbers& probabilities, int64_t rows, int64_t units, Numbers* drawn) {
  drawn->resize(rows * units);
  // No two draws of a run have the same stream: an update has at most 2 * 1000 + 1 draws of at most 65,536 rows.
  const uint64_t stream = ((updates_ << 12) + draws_++) << 16;
  pool_.ParallelFor(rows, kRowsAtOnce, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* const p = probabilities.data() + i * units;
      float* const row = drawn->data() + i * units;
      ForCountedNumbers(CounterRng(seed_ ^ kGibbsSeed, stream + static_cast<uint64_t>(i)), units,
                        [&](int64_t j, uint32_t number) {
                          row[j] = static_cast<float>(number >> 8) * 0x1.0p-24f < p[j] ? 1.0f : 0.0f;
                        });
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

absl::Status RbmLearner::RunChains(int64_t chains, Numbers* hidden) {
  for (uint32_t step = 1; step <= spec_.gibbs_steps(); ++step) {
    KWTA_RETURN_IF_ERROR(VisibleGiven(hidden->data(), chains, &visible_));
    if (step == 1 && !spec_.persistent()) reconstruction_ = visible_;
    if (spec_.sample_visible()) {
      Draw(visible_, chains, width_, &visible_draws_);
      std::swap(visible_, visible_draws_);
    }
    KWTA_RETURN_IF_ERROR(HiddenGiven(visible_.data(), chains, &chain_hidden_));
    if (step < spec_.gibbs_steps() || spec_.persistent()) Draw(chain_hidden_, chains, units_, hidden);
  }
  return absl::OkStatus();
}

absl::Status RbmLearner::Gradients(const float* x, int64_t rows, int64_t chains) {
  const int64_t terms = rows + chains;
  left_.resize(width_ * terms);
  right_.resize(terms * units_);
  const auto data_share = static_cast<float>(-1.0 / static_cast<double>(rows));
  const auto chain_share = static_cast<float>(1.0 / static_cast<double>(chains));
  // Columns that are summed, or written, together: the reads share cache lines.
  pool_.ParallelFor(width_, kColumnsAtOnce, [&](int64_t begin, int64_t end, int) {
    double sums[kColumnsAtOnce] = {};
    for (int64_t t = 0; t < terms; ++t) {
      const float* const from = t < rows ? x + t * width_ : visible_.data() + (t - rows) * width_;
      const double share = t < rows ? data_share : chain_share;
      for (int64_t d = begin; d < end; ++d) {
        left_[d * terms + t] = from[d];
        sums[d - begin] += share * from[d];
      }
    }
    for (int64_t d = begin; d < end; ++d) visible_bias_.gradient[d] = static_cast<float>(sums[d - begin]);
  });
  pool_.ParallelFor(units_, kColumnsAtOnce, [&](int64_t begin, int64_t end, int) {
    double sums[kColumnsAtOnce] = {};
    int64_t active[kColumnsAtOnce] = {};
    for (int64_t t = 0; t < terms; ++t) {
      const float* const from = t < rows ? &hidden_[t * units_] : &chain_hidden_[(t - rows) * units_];
      const float share = t < rows ? data_share : chain_share;
      for (int64_t j = begin; j < end; ++j) {
        const float term = share * from[j];
        right_[t * units_ + j] = term;
        sums[j - begin] += term;
        active[j - begin] += t < rows && from[j] > ActivationThreshold(Activation::kSigmoid);
      }
    }
    for (int64_t j = begin; j < end; ++j) {
      bias_.gradient[j] = static_cast<float>(sums[j - begin]);
      active_rows_[j] += active[j - begin];
    }
  });
  return Product(left_.data(), right_.data(), /*transposed=*/false, width_, units_, terms, weights_.gradient.data());
}

void RbmLearner::Update(const StepOptions& options) {
  for (RbmParameter* parameter : {&weights_, &bias_, &visible_bias_}) {
    const float decay = parameter == &weights_ ? spec_.weight_decay() : 0;
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
    KWTA_RETURN_IF_ERROR(RunChains(spec_.chains(), &chains_));
  } else {
    Draw(hidden_, rows, units_, &hidden_draws_);
    KWTA_RETURN_IF_ERROR(RunChains(rows, &hidden_draws_));
  }
  row_errors_.assign(rows, 0);
  pool_.ParallelFor(rows, kRowsAtOnce, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t e = i * width_; e < (i + 1) * width_; ++e) {
        row_errors_[i] += static_cast<double>(x[e] - reconstruction_[e]) * (x[e] - reconstruction_[e]);
      }
    }
  });
  double squared_error = 0;
  for (const double error : row_errors_) squared_error += error;
  squared_errors_.push_back(squared_error);
  KWTA_RETURN_IF_ERROR(Gradients(x, rows, spec_.persistent() ? spec_.chains() : rows));
  if (options.measure_gradient) {
    double squared = 0;
    for (const RbmParameter* parameter : {&weights_, &bias_, &visible_bias_}) {
      for (size_t e = 0; e < parameter->gradient.size(); ++e) {
        const double decay = parameter == &weights_ ? double{spec_.weight_decay()} * parameter->value[e] : 0;
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

// Copies a matrix, transposed; a vector is its own transpose.
void CopyTransposed(const float* from, const Shape& shape, float* to) {
  const int64_t rows = shape.size() == 2 ? shape[0] : 1, columns = shape.back();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
}

Tensor TransposedTensor(const Numbers& numbers, const Shape& shape) {
  Tensor tensor(DType::kF32, Shape(shape.rbegin(), shape.rend()));
  CopyTransposed(numbers.data(), shape, tensor.as<float>());
  return tensor;
}

absl::StatusOr<TensorMap> RbmLearner::Parameters() const {
  TensorMap tensors;
  for (const RbmParameter* parameter : {&weights_, &bias_, &visible_bias_}) {
    tensors[parameter->name] = TransposedTensor(parameter->value, parameter->shape);
  }
  return tensors;
}

absl::StatusOr<TensorMap> RbmLearner::Checkpoint() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap state, Parameters());
  for (const RbmParameter* parameter : {&weights_, &bias_, &visible_bias_}) {
    state[absl::StrCat("velocity.", parameter->name)] = TransposedTensor(parameter->velocity, parameter->shape);
  }
  if (spec_.persistent()) {
    Tensor chains(DType::kF32, {spec_.chains(), units_});
    std::copy(chains_.begin(), chains_.end(), chains.as<float>());
    state[kChains] = std::move(chains);
  }
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
  for (RbmParameter* parameter : {&weights_, &bias_, &visible_bias_}) {
    const Shape shape(parameter->shape.rbegin(), parameter->shape.rend());
    for (const auto& [prefix, numbers] : {std::pair("", &parameter->value), {"velocity.", &parameter->velocity}}) {
      KWTA_ASSIGN_OR_RETURN(const Tensor* tensor,
                            FindState(state, absl::StrCat(prefix, parameter->name), DType::kF32, shape));
      CopyTransposed(tensor->as<float>(), shape, numbers->data());
    }
  }
  if (spec_.persistent()) {
    KWTA_ASSIGN_OR_RETURN(const Tensor* chains, FindState(state, kChains, DType::kF32, {spec_.chains(), units_}));
    std::copy_n(chains->as<float>(), chains_.size(), chains_.begin());
  }
  KWTA_ASSIGN_OR_RETURN(const Tensor* updates, FindState(state, kUpdates, DType::kI64, {1}));
  updates_ = static_cast<uint64_t>(*updates->as<int64_t>());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> CreateRbmLearner(const LearnerSetup& setup) {
  return std::make_unique<RbmLearner>(setup.encoder.rbm(), ElementCount(setup.row_shape), setup.training.seed(),
                                      setup.backend);
}

}  // namespace kwta
