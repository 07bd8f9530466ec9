// The parts of a training job that depend on its rows.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/training/job_spec.h"

namespace kwta {
namespace {

constexpr int64_t kSampledRows = 1000;
constexpr int64_t kSampledNumbers = int64_t{1} << 24;
constexpr int kPowerSteps = 30;

// The largest mean of (u'x)^2 over rows x spread evenly, for any u of length 1. That is the largest eigenvalue of the
// mean of xx'. Power iteration approaches it from below.
absl::StatusOr<double> LargestEnergy(LearnerRows& rows) {
  const int64_t width = rows.width();
  const int64_t count = std::min({kSampledRows, rows.rows(), std::max<int64_t>(kSampledNumbers / width, 1)});
  std::vector<uint32_t> which(count);
  for (int64_t i = 0; i < count; ++i) which[i] = static_cast<uint32_t>(i * rows.rows() / count);
  std::vector<float> x(count * width);
  KWTA_RETURN_IF_ERROR(rows.Gather(which.data(), count, x.data()));
  // The largest row is the first direction.
  std::vector<double> direction(width), next(width);
  double largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float* row = x.data() + i * width;
    const double squared = std::inner_product(row, row + width, row, 0.0);
    if (squared <= largest) continue;
    largest = squared;
    std::copy(row, row + width, direction.begin());
  }
  double energy = 0;
  for (int step = 0; step < kPowerSteps && largest > 0; ++step) {
    const double length = std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0));
    if (length == 0) break;
    std::fill(next.begin(), next.end(), 0.0);
    energy = 0;
    for (int64_t i = 0; i < count; ++i) {
      const float* row = x.data() + i * width;
      const double along = std::inner_product(row, row + width, direction.begin(), 0.0) / length;
      energy += along * along / static_cast<double>(count);
      for (int64_t d = 0; d < width; ++d) next[d] += along * row[d];
    }
    direction.swap(next);
  }
  return energy;
}

}  // namespace

absl::Status FitTraining(v1::JobSpec* spec, LearnerRows& rows) {
  v1::TrainingSpec& training = *spec->mutable_training();
  if (training.has_learning_rate()) return absl::OkStatus();
  const TrainingDefaults defaults = FindEncoderKind(spec->encoder())->training_defaults(spec->encoder());
  KWTA_ASSIGN_OR_RETURN(const double energy, LargestEnergy(rows));
  float rate = defaults.learning_rate;
  if (energy > 0) rate = std::min(rate, static_cast<float>(defaults.rate_times_energy / energy));
  // Below this, numbers lose their bits, and at last all of them: a rate of zero learns nothing.
  if (rate < std::numeric_limits<float>::min()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the rows are too large to learn from: the largest mean of (u'x)^2, in any direction u, is ", energy,
        ", for which no learning rate is small enough; scale the rows (u8_divisor for bytes, the step scale for other "
        "numbers)"));
  }
  if (training.final_learning_rate() > rate) {
    return InvalidField(
        "training.final_learning_rate", training.final_learning_rate(),
        absl::StrCat("0 .. ", rate,
                     ", the learning rate that is chosen for these rows; set training.learning_rate too"));
  }
  training.set_learning_rate(rate);
  return absl::OkStatus();
}

}  // namespace kwta
