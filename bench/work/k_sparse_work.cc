// Encoding and training with k-sparse encoders, through core's public interface.
//
//   encode data=NAME units=N k=K batch=B [dtype=u8] [weights=random width=D]
//   train  data=NAME units=N k=K batch=B
//   job    data=NAME units=N k=K batch=B epochs=E rows=R
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/work/inputs.h"
#include "bench/work/workload.h"
#include "core/backends/backend_registry.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/dataset.h"
#include "core/training/trainer.h"

namespace kwta::bench {
namespace {

constexpr float kRate = 0.001f;
constexpr float kMomentum = 0.9f;
// Updates before the clock starts, while k falls to its final value.
constexpr int64_t kWarmingRows = 40'000;

absl::StatusOr<std::shared_ptr<Backend>> MakeBackend(const WorkOptions& options) {
  BackendOptions backend;
  backend.threads = options.threads;
  return CreateBackend("", backend);
}

absl::StatusOr<v1::EncoderSpec> KSparse(const WorkSpec& spec) {
  KWTA_ASSIGN_OR_RETURN(const int64_t units, spec.Number("units"));
  KWTA_ASSIGN_OR_RETURN(const int64_t k, spec.Number("k"));
  v1::EncoderSpec encoder;
  encoder.mutable_k_sparse()->set_units(static_cast<uint32_t>(units));
  encoder.mutable_k_sparse()->set_k(static_cast<uint32_t>(k));
  KWTA_RETURN_IF_ERROR(ResolveEncoder(&encoder));
  return encoder;
}

// An encoder of the right size with weights that nobody trained.
absl::StatusOr<ModelBundle> RandomModel(const v1::EncoderSpec& spec, int64_t width) {
  ModelBundle bundle;
  v1::ModelDescription& description = bundle.description;
  description.set_input_width(static_cast<uint32_t>(width));
  description.set_code_width(spec.k_sparse().units());
  *description.mutable_encoder() = spec;
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(description.mutable_preprocessing()));
  const int64_t units = spec.k_sparse().units();
  Rng rng(3);
  Tensor atoms(DType::kF32, {units, width});
  for (int64_t i = 0; i < atoms.elements(); ++i)
    atoms.as<float>()[i] = static_cast<float>(0.05 * (rng.Uniform() - 0.5));
  bundle.tensors["atoms"] = std::move(atoms);
  bundle.tensors["bias"] = Tensor(DType::kF32, {units});
  bundle.tensors["decoder_bias"] = Tensor(DType::kF32, {width});
  return bundle;
}

// Consecutive batches of some rows, beginning again when they run out.
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

  int64_t rows() const override { return batches_.rows(); }
  absl::Status Call() override { return encoder_->Encode(batches_.Next(), k_, &codes_); }

 private:
  const std::shared_ptr<const Encoder> encoder_;
  Batches batches_;
  const int64_t k_;
  SparseCodes codes_;
};

class TrainWork final : public Workload {
 public:
  TrainWork(std::unique_ptr<Learner> learner, Batches batches)
      : learner_(std::move(learner)), batches_(std::move(batches)) {
    step_.learning_rate = kRate;
    step_.momentum = kMomentum;
  }

  // Updates with the schedule of k, so that later ones meet an encoder in the middle of its training.
  absl::StatusOr<TensorMap> WarmUp() {
    for (int64_t done = 0; done < kWarmingRows; done += rows()) {
      step_.k = learner_->ScheduledK(static_cast<double>(done) / kWarmingRows);
      KWTA_RETURN_IF_ERROR(Call());
    }
    step_.k = learner_->ScheduledK(1);
    return learner_->Parameters();
  }

  int64_t rows() const override { return batches_.rows(); }
  absl::Status Call() override {
    return learner_->Step(static_cast<const float*>(batches_.Next().data), rows(), step_).status();
  }

 private:
  const std::unique_ptr<Learner> learner_;
  Batches batches_;
  StepOptions step_;
};

// The trainer itself: shuffling, conversion, schedules and statistics included.
class JobWork final : public Workload {
 public:
  JobWork(v1::JobSpec job, Dataset data, std::shared_ptr<Backend> backend)
      : job_(std::move(job)), data_(std::move(data)), backend_(std::move(backend)) {}

  int64_t rows() const override { return data_.rows() * job_.training().epochs(); }
  absl::Status Call() override { return Train(job_, data_, backend_, TrainerOptions()).status(); }

 private:
  const v1::JobSpec job_;
  const Dataset data_;
  const std::shared_ptr<Backend> backend_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Workload>> CreateEncodeWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const v1::EncoderSpec encoder_spec, KSparse(spec));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  const int64_t k = encoder_spec.k_sparse().k();
  const std::string data_name = spec.Text("data", "images");
  const bool stored = spec.Text("dtype", "f32") == "u8";
  KWTA_ASSIGN_OR_RETURN(Tensor data, stored ? LoadStored(options, data_name) : LoadFloats(options, data_name));
  ModelBundle bundle;
  if (spec.Text("weights", "trained") == "random") {
    KWTA_ASSIGN_OR_RETURN(bundle, RandomModel(encoder_spec, data.shape()[1]));
  } else {
    KWTA_ASSIGN_OR_RETURN(bundle, TrainedKSparse(options, data_name, encoder_spec.k_sparse().units(), backend));
  }
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, CreateEncoder(bundle, std::move(backend)));
  return std::make_unique<EncodeWork>(std::move(encoder), Batches(std::move(data), batch), k);
}

absl::StatusOr<std::unique_ptr<Workload>> CreateTrainWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const v1::EncoderSpec encoder_spec, KSparse(spec));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  const std::string data_name = spec.Text("data", "images");
  KWTA_ASSIGN_OR_RETURN(Tensor data, LoadFloats(options, data_name));
  Batches batches(std::move(data), batch);
  v1::TrainingSpec training;
  training.set_seed(1);
  KWTA_ASSIGN_OR_RETURN(
      std::unique_ptr<Learner> learner,
      CreateLearner(encoder_spec, RowShape(data_name, batches.width()), training, std::move(backend)));
  auto work = std::make_unique<TrainWork>(std::move(learner), std::move(batches));
  KWTA_ASSIGN_OR_RETURN(const TensorMap parameters, work->WarmUp());
  KWTA_RETURN_IF_ERROR(
      WriteTensors(options, absl::StrCat(data_name, "-", encoder_spec.k_sparse().units(), "-warm"), parameters));
  return work;
}

absl::StatusOr<std::unique_ptr<Workload>> CreateJobWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, MakeBackend(options));
  KWTA_ASSIGN_OR_RETURN(const v1::EncoderSpec encoder_spec, KSparse(spec));
  KWTA_ASSIGN_OR_RETURN(const int64_t batch, spec.Number("batch"));
  KWTA_ASSIGN_OR_RETURN(const int64_t epochs, spec.Number("epochs"));
  KWTA_ASSIGN_OR_RETURN(const int64_t rows, spec.Number("rows"));
  v1::JobSpec job;
  job.set_model("bench");
  *job.mutable_encoder() = encoder_spec;
  job.mutable_training()->set_epochs(static_cast<uint32_t>(epochs));
  job.mutable_training()->set_batch_size(static_cast<uint32_t>(batch));
  job.mutable_dataset()->set_path(absl::StrCat(spec.Text("data", "images"), ".npy"));
  job.mutable_dataset()->set_max_rows(static_cast<uint64_t>(rows));
  KWTA_RETURN_IF_ERROR(ResolveJobSpec(&job));
  DatasetOptions dataset_options;
  dataset_options.directories = {options.inputs};
  KWTA_ASSIGN_OR_RETURN(Dataset data, LoadDataset(job.dataset(), dataset_options));
  return std::make_unique<JobWork>(std::move(job), std::move(data), std::move(backend));
}

}  // namespace kwta::bench
