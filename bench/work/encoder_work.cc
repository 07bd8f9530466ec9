// Encoding and training, through core's public interface. bench/work/models.h says which words describe an encoder.
//
//   encode data=NAME ENCODER batch=B [dtype=u8] [weights=random]    (also encode_KIND for peers)
//   train  data=NAME ENCODER batch=B [warm=ROWS]                    (also train_KIND)
//   job    data=NAME ENCODER batch=B epochs=E rows=R
//   steps  data=NAME ENCODER batch=B epochs=E rows=R                (the job's training steps, on floats in order)
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/work/inputs.h"
#include "bench/work/models.h"
#include "bench/work/workload.h"
#include "core/backends/backend_registry.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/training/run_job.h"

namespace kwta::bench {
namespace {

// Rows that train before the clock starts, while k falls to its final value.
constexpr int64_t kWarmingRows = 40'000;
constexpr int64_t kWarmingImages = 500;  // for encoders whose codes have places

absl::StatusOr<std::shared_ptr<Backend>> MakeBackend(const WorkOptions& options) {
  BackendOptions backend;
  backend.threads = options.threads;
  return CreateBackend("", backend);
}

// Consecutive batches of some rows, which start again when they run out.
class Batches {
 public:
  Batches(Tensor data, int64_t batch) : data_(std::move(data)), batch_(std::min(batch, data_.shape()[0])) {}

  int64_t rows() const { return batch_; }
  int64_t width() const { return data_.shape()[1]; }
  RowsView Next() {
    if (next_ + batch_ > data_.shape()[0]) next_ = 0;
    return data_.rows().Slice(std::exchange(next_, next_ + batch_), batch_);
  }

 private:
  Tensor data_;
  int64_t batch_;
  int64_t next_ = 0;
};

class EncodeWork final : public Workload {
 public:
  EncodeWork(std::shared_ptr<const Encoder> encoder, Batches batches, int64_t k)
      : encoder_(std::move(encoder)), batches_(std::move(batches)), k_(k) {}

  // The backend compares its filters in the first calls, with whole batches.
  absl::Status WarmUp() {
    constexpr int kCalls = 8;
    for (int call = 0; call < kCalls; ++call) KWTA_RETURN_IF_ERROR(Call());
    return absl::OkStatus();
  }

  int64_t rows() const override { return batches_.rows(); }
  absl::Status Call() override { return encoder_->Encode(batches_.Next(), k_, &codes_); }

 private:
  const std::shared_ptr<const Encoder> encoder_;
  Batches batches_;
  const int64_t k_;
  Codes codes_;
};

class TrainWork final : public Workload {
 public:
  TrainWork(std::unique_ptr<Learner> learner, Batches batches, const v1::TrainingSpec& training)
      : learner_(std::move(learner)), batches_(std::move(batches)) {
    step_.learning_rate = training.learning_rate();
    step_.momentum = training.momentum();
  }

  // Trains with the schedule of k, so that later updates meet an encoder in the middle of its training.
  absl::StatusOr<TensorMap> WarmUp(int64_t warming_rows) {
    for (int64_t done = 0; done < warming_rows; done += rows()) {
      step_.k = learner_->ScheduledK(static_cast<double>(done) / static_cast<double>(warming_rows));
      KWTA_RETURN_IF_ERROR(Call());
    }
    step_.k = learner_->ScheduledK(1);
    return learner_->Parameters();
  }

  int64_t rows() const override { return batches_.rows(); }
  absl::Status Call() override {
    KWTA_RETURN_IF_ERROR(learner_->Step(static_cast<const float*>(batches_.Next().data), rows(), step_));
    return learner_->TakeStatistics().status();
  }

 private:
  const std::unique_ptr<Learner> learner_;
  Batches batches_;
  StepOptions step_;
};

// Runs the whole trainer, including shuffling, conversion, schedules and statistics.
class JobWork final : public Workload {
 public:
  JobWork(v1::JobSpec job, Dataset data, std::shared_ptr<Backend> backend)
      : job_(std::move(job)), data_(std::move(data)), backend_(std::move(backend)) {}

  int64_t rows() const override { return data_.rows() * job_.training().epochs(); }
  absl::Status Call() override { return RunJob(job_, std::nullopt, data_, backend_, {}).status(); }

 private:
  const v1::JobSpec job_;
  const Dataset data_;
  const std::shared_ptr<Backend> backend_;
};

// The steps of a job and nothing else that the trainer does.
class StepsWork final : public Workload {
 public:
  StepsWork(v1::JobSpec job, Batches batches, int64_t rows, std::shared_ptr<Backend> backend)
      : job_(std::move(job)), batches_(std::move(batches)), rows_(rows), backend_(std::move(backend)) {}

  int64_t rows() const override { return rows_ / batches_.rows() * batches_.rows() * job_.training().epochs(); }
  absl::Status Call() override {
    const v1::TrainingSpec& training = job_.training();
    KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Learner> learner,
                          CreateLearner(job_.encoder(), {batches_.width()}, training, backend_));
    StepOptions step;
    step.learning_rate = training.learning_rate();
    step.momentum = training.momentum();
    for (int64_t epoch = 0; epoch < training.epochs(); ++epoch) {
      step.k = learner->ScheduledK(static_cast<double>(epoch) / training.epochs());
      for (int64_t i = 0; i < rows_ / batches_.rows(); ++i) {
        KWTA_RETURN_IF_ERROR(learner->Step(static_cast<const float*>(batches_.Next().data), batches_.rows(), step));
      }
      KWTA_RETURN_IF_ERROR(learner->TakeStatistics().status());
    }
    return absl::OkStatus();
  }

 private:
  const v1::JobSpec job_;
  Batches batches_;
  const int64_t rows_;
  const std::shared_ptr<Backend> backend_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Workload>> CreateEncodeWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  const std::string data_name = spec.Text("data", "images");
  const bool stored = spec.Text("dtype", "f32") == "u8";
  KWTA_ASSIGN_OR_RETURN(Tensor data, stored ? LoadStored(options, data_name) : LoadFloats(options, data_name));
  KWTA_ASSIGN_OR_RETURN(const ModelBundle bundle, ModelOf(spec, options, data.shape()[1], backend));
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, CreateEncoder(bundle, std::move(backend)));
  EncodeOptions encode;
  KWTA_ASSIGN_OR_RETURN(encode.k, spec.Number("k", 0));
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder->ResolveK(encode));
  auto work = std::make_unique<EncodeWork>(std::move(encoder), Batches(std::move(data), batch), k);
  KWTA_RETURN_IF_ERROR(work->WarmUp());
  return work;
}

absl::StatusOr<std::unique_ptr<Workload>> CreateTrainWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  KWTA_ASSIGN_OR_RETURN(const v1::JobSpec job, JobOf(spec, 1, batch, batch));
  v1::EncoderSpec encoder = job.encoder();
  KWTA_ASSIGN_OR_RETURN(const int64_t warming_rows,
                        spec.Number("warm", HasPlaces(encoder) ? kWarmingImages : kWarmingRows));
  KWTA_ASSIGN_OR_RETURN(Tensor data, LoadFloats(options, spec.Text("data", "images")));
  Batches batches(std::move(data), batch);
  KWTA_RETURN_IF_ERROR(FitEncoder(&encoder, {batches.width()}));
  KWTA_ASSIGN_OR_RETURN(std::unique_ptr<Learner> learner,
                        CreateLearner(encoder, {batches.width()}, job.training(), std::move(backend)));
  auto work = std::make_unique<TrainWork>(std::move(learner), std::move(batches), job.training());
  KWTA_ASSIGN_OR_RETURN(const TensorMap parameters, work->WarmUp(warming_rows));
  KWTA_RETURN_IF_ERROR(WriteTensors(options, absl::StrCat(ModelName(spec), "-warm"), parameters));
  return work;
}

absl::StatusOr<std::unique_ptr<Workload>> CreateJobWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  KWTA_ASSIGN_OR_RETURN(const int64_t epochs, spec.Number("epochs"));
  KWTA_ASSIGN_OR_RETURN(const int64_t rows, spec.Number("rows"));
  KWTA_ASSIGN_OR_RETURN(v1::JobSpec job, JobOf(spec, epochs, batch, rows));
  DatasetOptions dataset_options;
  dataset_options.directories = {options.inputs};
  KWTA_ASSIGN_OR_RETURN(Dataset data, LoadDataset(job.dataset(), dataset_options));
  return std::make_unique<JobWork>(std::move(job), std::move(data), std::move(backend));
}

absl::StatusOr<std::unique_ptr<Workload>> CreateStepsWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  KWTA_ASSIGN_OR_RETURN(const int64_t epochs, spec.Number("epochs"));
  KWTA_ASSIGN_OR_RETURN(const int64_t rows, spec.Number("rows"));
  KWTA_ASSIGN_OR_RETURN(v1::JobSpec job, JobOf(spec, epochs, batch, rows));
  KWTA_ASSIGN_OR_RETURN(Tensor data, LoadFloats(options, spec.Text("data", "images")));
  KWTA_RETURN_IF_ERROR(FitEncoder(job.mutable_encoder(), {data.shape()[1]}));
  return std::make_unique<StepsWork>(std::move(job), Batches(std::move(data), batch), rows, std::move(backend));
}

}  // namespace kwta::bench
