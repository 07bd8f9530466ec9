#include "core/training/run_job.h"

#include <string>
#include <utility>

#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/training/fine_tuning/fine_tuning_trainee.h"
#include "core/training/job_spec.h"
#include "core/training/layer_trainee.h"
#include "core/training/learner_rows.h"
#include "core/training/training_loop.h"

namespace kwta {

absl::StatusOr<ModelBundle> RunJob(v1::JobSpec spec, std::optional<ModelBundle> base, const Dataset& data,
                                   std::shared_ptr<Backend> backend, const TrainingControl& control) {
  const std::string backend_name(backend->name());
  std::unique_ptr<LearnerRows> rows;  // outlives the trainee
  std::unique_ptr<Trainee> trainee;
  if (spec.has_fine_tuning()) {
    KWTA_ASSIGN_OR_RETURN(trainee, CreateFineTuningTrainee(spec, *std::move(base), data, std::move(backend)));
  } else {
    if (spec.has_base()) {
      KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, CreateEncoder(*base, backend));
      CodeRowsOptions options;
      options.directory = control.checkpoint_directory;
      KWTA_ASSIGN_OR_RETURN(rows, CodeRows(data, std::move(encoder), CodeShape(base->description), options));
    } else {
      KWTA_ASSIGN_OR_RETURN(rows, PreprocessedRows(spec.preprocessing(), data, *backend, control.checkpoint_directory));
    }
    KWTA_RETURN_IF_ERROR(FitTraining(&spec, *rows));
    KWTA_ASSIGN_OR_RETURN(trainee, CreateLayerTrainee(spec, *rows, std::move(backend)));
  }
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, RunTrainingLoop(spec, data, *trainee, control));
  bundle.description.set_name(spec.model());
  *bundle.description.mutable_training() = spec.training();
  *bundle.description.mutable_dataset() = spec.dataset();
  bundle.description.set_backend(backend_name);
  if (!spec.has_base() || spec.has_fine_tuning()) return bundle;
  return PutOnBase(*std::move(base), std::move(bundle));
}

}  // namespace kwta
