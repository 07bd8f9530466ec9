// What only the rows say of a training job.
#include <algorithm>
#include <cmath>
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

// The mean of |x|^2 over rows spread evenly.
absl::StatusOr<double> MeanEnergy(LearnerRows& rows) {
  const int64_t count = std::min(kSampledRows, rows.rows());
  std::vector<float> row(rows.width());
  double energy = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto which = static_cast<uint32_t>(i * rows.rows() / count);
    KWTA_RETURN_IF_ERROR(rows.Gather(&which, 1, row.data()));
    energy += std::inner_product(row.begin(), row.end(), row.begin(), 0.0);
  }
  return energy / static_cast<double>(count);
}

}  // namespace

absl::Status FitTraining(v1::JobSpec* spec, LearnerRows& rows) {
  v1::TrainingSpec& training = *spec->mutable_training();
  if (training.has_learning_rate()) return absl::OkStatus();
  const TrainingDefaults defaults = FindEncoderKind(spec->encoder())->training_defaults;
  KWTA_ASSIGN_OR_RETURN(const double energy, MeanEnergy(rows));
  float rate = defaults.learning_rate;
  if (energy > 0) rate = std::min(rate, static_cast<float>(defaults.rate_times_energy / energy));
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
