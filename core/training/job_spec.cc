#include "core/training/job_spec.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/io/datasets/named_datasets.h"
#include "core/io/model_bundle.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "core/training/batch_limits.h"
#include "core/training/fine_tuning/fine_tuning_spec.h"

namespace kwta {
namespace {

constexpr size_t kSha256Bytes = 32;

absl::Status ResolveTraining(const v1::EncoderSpec& encoder, v1::TrainingSpec* spec) {
  if (!spec->has_epochs()) spec->set_epochs(30);
  if (spec->epochs() < 1 || spec->epochs() > 1'000'000)
    return InvalidField("training.epochs", spec->epochs(), "1 .. 1000000");
  if (!spec->has_batch_size()) spec->set_batch_size(100);
  if (spec->batch_size() < 1 || spec->batch_size() > 65'536) {
    return InvalidField("training.batch_size", spec->batch_size(), "1 .. 65536");
  }
  KWTA_RETURN_IF_ERROR(CheckBatchScores(spec->batch_size(), RowScores(encoder)));
  if (spec->has_learning_rate() && (!(spec->learning_rate() > 0) || !std::isfinite(spec->learning_rate()))) {
    return InvalidField("training.learning_rate", spec->learning_rate(), "a finite number above 0, such as 0.001");
  }
  if (!spec->has_final_learning_rate()) spec->set_final_learning_rate(0);
  if (!(spec->final_learning_rate() >= 0) || !std::isfinite(spec->final_learning_rate()) ||
      (spec->has_learning_rate() && spec->final_learning_rate() > spec->learning_rate())) {
    return InvalidField("training.final_learning_rate", spec->final_learning_rate(),
                        spec->has_learning_rate() ? absl::StrCat("0 .. ", spec->learning_rate(), ", the learning_rate")
                                                  : "0 .. the learning_rate");
  }
  if (!spec->has_momentum()) spec->set_momentum(0.9f);
  if (!(spec->momentum() >= 0 && spec->momentum() < 1)) {
    return InvalidField("training.momentum", spec->momentum(), "at least 0 and below 1, such as 0.9");
  }
  if (!spec->has_seed()) spec->set_seed(1);
  if (!spec->has_threads()) spec->set_threads(0);
  if (spec->threads() > 1024)
    return InvalidField("training.threads", spec->threads(), "0 .. 1024, 0 for every processor");
  if (!spec->has_checkpoint_epochs()) spec->set_checkpoint_epochs(1);
  return absl::OkStatus();
}

// Fits the encoder to shapes that are known without opening a file: an error is better now than after the job has
// waited in the queue.
absl::Status FitShapes(v1::JobSpec* spec) {
  if (!spec->dataset().has_name()) return absl::OkStatus();
  KWTA_ASSIGN_OR_RETURN(const NamedDataset dataset, FindNamedDataset(spec->dataset().name()));
  const Shape row_shape(dataset.row_shape.begin(), dataset.row_shape.end());
  KWTA_ASSIGN_OR_RETURN(const Shape image, InputImage(spec->preprocessing(), row_shape));
  KWTA_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, PreprocessedShapes(spec->preprocessing(), image));
  return FitEncoder(spec->mutable_encoder(), shapes.back());
}

absl::Status ResolveBase(v1::JobSpec* spec) {
  KWTA_RETURN_IF_ERROR(ValidateName("base.model", spec->base().model()));
  if (spec->preprocessing().ByteSizeLong() > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("preprocessing is set together with base: the rows pass through the base model '",
                     spec->base().model(), "', whose own preprocessing applies; leave preprocessing out"));
  }
  spec->clear_preprocessing();
  const size_t hash_bytes = spec->base().sha256().size();
  if (hash_bytes != 0 && hash_bytes != kSha256Bytes) {
    return absl::InvalidArgumentError(absl::StrCat("base.sha256 has ", hash_bytes, " bytes; expected ", kSha256Bytes,
                                                   ", or none for the server to fill in"));
  }
  return absl::OkStatus();
}

// Fills in the defaults that depend on the kind of encoder. FitTraining sets a learning rate that depends on the rows.
// REQUIRES: the encoder is resolved.
void SetTrainingDefaults(v1::JobSpec* spec) {
  const TrainingDefaults defaults = FindEncoderKind(spec->encoder())->training_defaults(spec->encoder());
  if (!spec->training().has_learning_rate() && defaults.rate_times_energy == 0) {
    spec->mutable_training()->set_learning_rate(defaults.learning_rate);
  }
  if (spec->has_base() || spec->preprocessing().has_subtract_mean()) return;
  spec->mutable_preprocessing()->set_subtract_mean(defaults.subtract_mean);
}

}  // namespace

absl::Status CheckFitsBase(const v1::JobSpec& spec, const v1::ModelDescription& base) {
  if (spec.has_fine_tuning()) return CheckCanBeTuned(base);
  v1::EncoderSpec layer = spec.encoder();
  return FitEncoder(&layer, CodeShape(base));
}

absl::Status CheckBatchIsFilled(int64_t rows, const v1::TrainingSpec& training) {
  const uint32_t batch_size = training.batch_size();
  if (rows >= int64_t{batch_size}) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the data have ", rows, rows == 1 ? " row" : " rows", " but training.batch_size is ", batch_size,
                   "; give more rows or take a batch_size of 1 .. ", std::max<int64_t>(rows, 1)));
}

absl::Status CheckRowsSuffice(int64_t rows, const v1::JobSpec& spec) {
  if (!spec.has_encoder() || spec.has_base() || DatasetSteps(spec.preprocessing()) > 0) return absl::OkStatus();
  return CheckBatchIsFilled(rows, spec.training());
}

absl::Status ResolveJobSpec(v1::JobSpec* spec) {
  KWTA_RETURN_IF_ERROR(ValidateName("model", spec->model()));
  if (spec->has_fine_tuning()) {
    KWTA_RETURN_IF_ERROR(ResolveFineTuning(spec));
  } else {
    if (spec->has_base()) SetLayerDefaults(spec->mutable_encoder());
    KWTA_RETURN_IF_ERROR(ResolveEncoder(spec->mutable_encoder()));
    KWTA_RETURN_IF_ERROR(ResolveOptimiser(spec->encoder(), spec->mutable_training()));
    SetTrainingDefaults(spec);
  }
  if (spec->has_base()) {
    KWTA_RETURN_IF_ERROR(ResolveBase(spec));
  } else {
    KWTA_RETURN_IF_ERROR(ResolvePreprocessing(spec->mutable_preprocessing()));
    KWTA_RETURN_IF_ERROR(CheckSubtractMean(spec->encoder(), spec->preprocessing().subtract_mean()));
  }
  KWTA_RETURN_IF_ERROR(ResolveTraining(spec->encoder(), spec->mutable_training()));
  KWTA_RETURN_IF_ERROR(ValidateDatasetRef(spec->dataset()));
  if (!spec->has_base()) KWTA_RETURN_IF_ERROR(FitShapes(spec));  // with a base, the rows are its codes
  if (spec->dataset().split() == v1::DATASET_SPLIT_UNSPECIFIED) {
    spec->mutable_dataset()->set_split(v1::DATASET_SPLIT_TRAIN);
  }
  return absl::OkStatus();
}

}  // namespace kwta
