// Trains the winner-take-all convolutional autoencoder, section 2.1: "we identify the single largest hidden activity
// within each feature map, and set the rest of the activities as well as their derivatives to zero".
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "core/backends/staging.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/parameter_set.h"
#include "core/encoders/step_record.h"
#include "core/encoders/winner_take_all.h"

namespace kwta {
namespace {

constexpr char kBiasesWait[] = "biases_wait";  // in a checkpoint before the first batch

std::vector<float> Gaussians(const Shape& shape, float sigma, Rng& rng) {
  std::vector<float> elements(static_cast<size_t>(ElementCount(shape)));
  for (float& element : elements) element = static_cast<float>(sigma * rng.Gaussian());
  return elements;
}

class WinnerTakeAllLearner : public Learner {
 public:
  WinnerTakeAllLearner(const v1::WinnerTakeAllSpec& spec, v1::Optimiser optimiser, std::shared_ptr<Backend> backend)
      : spec_(spec),
        winners_(WinnersOf(spec)),
        backend_(std::move(backend)),
        parameters_(optimiser, backend_),
        biases_wait_(spec.biases_from_mean()) {}

  absl::Status Initialise(uint64_t seed) {
    Rng rng(seed, kWeightStream);
    const Shape shape = FilterShape(spec_), decoder_shape = DecoderFilterShape(spec_);
    KWTA_ASSIGN_OR_RETURN(filters_, parameters_.Add("filters", shape, Gaussians(shape, spec_.init_sigma(), rng)));
    KWTA_ASSIGN_OR_RETURN(bias_, parameters_.Add("bias", {units()}, std::vector<float>(units())));
    decoder_filters_ = filters_;
    if (!spec_.tied_weights()) {
      KWTA_ASSIGN_OR_RETURN(
          decoder_filters_,
          parameters_.Add("decoder_filters", decoder_shape, Gaussians(decoder_shape, spec_.decoder_init_sigma(), rng)));
    }
    const int64_t channels = spec_.input().channels();
    KWTA_ASSIGN_OR_RETURN(decoder_bias_, parameters_.Add("decoder_bias", {channels}, std::vector<float>(channels)));
    return record_.Create(backend_, units(), 1);
  }

  int64_t units() const override { return spec_.maps(); }
  int64_t code_width() const override { return ElementCount(PooledShape(spec_)); }
  int64_t ScheduledK(double) const override { return winners_.entries; }
  absl::Status Step(const float* x, int64_t rows, const StepOptions& options) override;
  absl::StatusOr<StepStatistics> TakeStatistics() override { return record_.Take(); }
  absl::StatusOr<TensorMap> Parameters() const override { return parameters_.Values(); }
  absl::StatusOr<TensorMap> Checkpoint() const override {
    KWTA_ASSIGN_OR_RETURN(TensorMap state, parameters_.State());
    if (biases_wait_) {
      state[kBiasesWait] = Tensor(DType::kU8, {1});
      *state[kBiasesWait].as<uint8_t>() = 1;
    }
    return state;
  }
  absl::Status Restore(const TensorMap& state) override {
    biases_wait_ = state.count(kBiasesWait) > 0;
    KWTA_RETURN_IF_ERROR(record_.Clear());
    return parameters_.Restore(state);
  }

 private:
  absl::Status SetBiases(const float* x, const ImageBatch& images);

  const v1::WinnerTakeAllSpec spec_;
  const TrainingWinners winners_;
  const std::shared_ptr<Backend> backend_;
  ParameterSet parameters_;
  int filters_ = 0, bias_ = 0, decoder_filters_ = 0,
      decoder_bias_ = 0;  // indices into parameters_; if tied, the first and third are the same
  bool biases_wait_;      // for the first batch

  StepRecord record_;
  // Scratch memory that steps share.
  StagedInput input_;      // [rows, width]
  Buffer units_, values_;  // [rows, entries]
  Buffer residual_;        // [rows, width]
};

// Implements WinnerTakeAllSpec.biases_from_mean, with the first batch.
absl::Status WinnerTakeAllLearner::SetBiases(const float* x, const ImageBatch& images) {
  biases_wait_ = false;
  KWTA_ASSIGN_OR_RETURN(TensorMap state, parameters_.State());
  float* const means = state.at("decoder_bias").as<float>();
  const int64_t positions = images.positions();
  for (int64_t c = 0; c < images.channels; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < images.rows; ++i) {
      const float* const channel = x + i * images.elements() + c * positions;
      sum += std::accumulate(channel, channel + positions, 0.0);
    }
    means[c] = static_cast<float>(sum / static_cast<double>(images.rows * positions));
  }
  const float* filter = state.at("filters").as<float>();
  float* const bias = state.at("bias").as<float>();
  const int64_t area = int64_t{spec_.filter_size()} * spec_.filter_size();
  for (int64_t m = 0; m < units(); ++m) {
    double response = 0;
    for (int64_t c = 0; c < images.channels; ++c, filter += area) {
      response += means[c] * std::accumulate(filter, filter + area, 0.0);
    }
    bias[m] = static_cast<float>(-response);
  }
  return parameters_.Restore(state);
}

absl::Status WinnerTakeAllLearner::Step(const float* x, int64_t rows, const StepOptions& options) {
  const ImageBatch images = ImagesOf(spec_, rows);
  if (biases_wait_ && rows > 0) KWTA_RETURN_IF_ERROR(SetBiases(x, images));
  const size_t bytes = rows * images.elements() * sizeof(float);
  KWTA_RETURN_IF_ERROR(record_.Begin());
  KWTA_RETURN_IF_ERROR(input_.Stage(*backend_, x, bytes));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * winners_.entries * sizeof(int32_t), &units_));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * winners_.entries * sizeof(float), &values_));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, bytes, &residual_));

  WinnerPassArgs pass;
  pass.encode.filters = parameters_.value(filters_);
  pass.encode.bias = parameters_.value(bias_);
  pass.encode.maps = spec_.maps();
  pass.encode.size = spec_.filter_size();
  pass.encode.images = images;
  pass.encode.x = input_.as<float>();
  pass.encode.scope = winners_.scope;
  pass.encode.winners = winners_.winners;
  pass.encode.units = units_.as<int32_t>();
  pass.encode.values = values_.as<float>();
  pass.entries = winners_.entries;
  pass.decoder = parameters_.value(decoder_filters_);
  pass.decoder_bias = parameters_.value(decoder_bias_);
  pass.decoder_size = spec_.decoder_filter_size();
  pass.residual = residual_.as<float>();
  pass.gradient_encoder = parameters_.gradient(filters_);
  pass.gradient_decoder = spec_.tied_weights() ? nullptr : parameters_.gradient(decoder_filters_);
  pass.gradient_bias = parameters_.gradient(bias_);
  pass.gradient_decoder_bias = parameters_.gradient(decoder_bias_);
  pass.active_rows = record_.active_rows();
  pass.squared_error = record_.error(0);
  KWTA_RETURN_IF_ERROR(backend_->WinnerPass(pass));
  if (options.measure_gradient) {
    KWTA_ASSIGN_OR_RETURN(const double norm, parameters_.GradientNorm());
    record_.set_gradient_norm(norm);
  }
  return parameters_.Update(options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> CreateWinnerTakeAllLearner(const v1::WinnerTakeAllSpec& spec, uint64_t seed,
                                                                    v1::Optimiser optimiser,
                                                                    std::shared_ptr<Backend> backend) {
  auto learner = std::make_unique<WinnerTakeAllLearner>(spec, optimiser, std::move(backend));
  KWTA_RETURN_IF_ERROR(learner->Initialise(seed));
  return learner;
}

}  // namespace kwta
