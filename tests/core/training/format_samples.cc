#include "tests/core/training/format_samples.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/base/status_macros.h"
#include "core/base/version.h"
#include "core/encoders/encoder_registry.h"
#include "core/files/files.h"
#include "core/io/arrays/npy.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "tests/temporary_directory.h"

namespace kwta {
namespace {

constexpr char kSampleImages[] = KWTA_TEST_DATA "/datasets";
constexpr int64_t kSampleTrainingRows = 90;
constexpr int64_t kSampleRows = 6;  // that have codes

v1::JobSpec SampleJob(const std::string& model) {
  v1::JobSpec spec;
  spec.set_model(model);
  spec.mutable_training()->set_epochs(4);
  spec.mutable_training()->set_batch_size(20);  // the last batch of an epoch has 10 rows
  spec.mutable_training()->set_learning_rate(0.01f);
  spec.mutable_dataset()->set_name("fashion-mnist");
  spec.mutable_dataset()->set_max_rows(kSampleTrainingRows);
  return spec;
}

v1::KSparseSpec* SetKSparse(v1::JobSpec* spec, uint32_t units) {
  v1::KSparseSpec* encoder = spec->mutable_encoder()->mutable_k_sparse();
  encoder->set_units(units);
  encoder->set_k(3);
  encoder->set_encode_alpha(2);
  return encoder;
}

// The middle of an image, so that a sample is small.
void AddCrop(v1::JobSpec* spec, uint32_t side) {
  v1::CropStep& crop = *spec->mutable_preprocessing()->add_steps()->mutable_crop();
  crop.set_height(side);
  crop.set_width(side);
}

// Each has a checkpoint and ends in the bundle of its model's name; a base comes before what is put on it.
std::vector<v1::JobSpec> InterruptedJobs() {
  v1::JobSpec k_sparse = SampleJob("k-sparse");
  SetKSparse(&k_sparse, 12);
  AddCrop(&k_sparse, 10);
  k_sparse.mutable_preprocessing()->set_subtract_mean(true);

  v1::JobSpec auxiliary = SampleJob("k-sparse-auxiliary");
  SetKSparse(&auxiliary, 12)->set_auxiliary_k(4);
  auxiliary.mutable_encoder()->mutable_k_sparse()->set_dead_after_rows(10);
  auxiliary.mutable_encoder()->mutable_k_sparse()->set_unit_norm_atoms(true);
  AddCrop(&auxiliary, 10);

  v1::JobSpec maps = SampleJob("winner-take-all");
  maps.mutable_encoder()->mutable_winner_take_all()->set_maps(3);
  maps.mutable_encoder()->mutable_winner_take_all()->set_filter_size(3);
  AddCrop(&maps, 10);

  v1::JobSpec momentum = maps;
  momentum.set_model("winner-take-all-sgd");
  momentum.mutable_training()->set_optimiser(v1::OPTIMISER_SGD);
  momentum.mutable_training()->set_learning_rate(0.001f);

  v1::JobSpec stack = SampleJob("stack");
  SetKSparse(&stack, 8);
  stack.mutable_base()->set_model("winner-take-all");

  v1::JobSpec k_sparse_stack = stack;
  k_sparse_stack.set_model("k-sparse-stack");
  k_sparse_stack.mutable_base()->set_model("k-sparse");

  v1::JobSpec tuned = SampleJob("fine-tuned");
  tuned.mutable_base()->set_model("k-sparse");
  tuned.mutable_fine_tuning()->set_classifier_epochs(2);
  tuned.mutable_fine_tuning()->set_input_dropout(0.2f);
  tuned.mutable_fine_tuning()->set_code_dropout(0.2f);

  v1::JobSpec tuned_stack = tuned;
  tuned_stack.set_model("fine-tuned-stack");
  tuned_stack.mutable_base()->set_model("k-sparse-stack");

  v1::JobSpec denoising = SampleJob("regularised-denoising");
  denoising.mutable_encoder()->mutable_regularised()->set_units(12);
  denoising.mutable_encoder()->mutable_regularised()->set_gaussian_noise(0.1f);
  AddCrop(&denoising, 10);
  denoising.mutable_preprocessing()->set_subtract_mean(true);

  v1::JobSpec sparse = denoising;
  sparse.set_model("regularised-sparse");
  sparse.mutable_encoder()->mutable_regularised()->set_sparse_penalty(0.1f);
  sparse.mutable_encoder()->mutable_regularised()->set_activation(v1::ACTIVATION_SIGMOID);

  v1::JobSpec dropout = SampleJob("dropout");
  dropout.mutable_encoder()->mutable_dropout()->set_units(12);
  dropout.mutable_encoder()->mutable_dropout()->set_visible_dropout(0.2f);
  dropout.mutable_encoder()->mutable_dropout()->set_decoder(v1::DECODER_SIGMOID);
  AddCrop(&dropout, 10);

  v1::JobSpec rbm = SampleJob("rbm");
  rbm.mutable_encoder()->mutable_rbm()->set_units(12);
  rbm.mutable_encoder()->mutable_rbm()->set_persistent(true);
  rbm.mutable_encoder()->mutable_rbm()->set_chains(20);
  AddCrop(&rbm, 10);

  std::vector<v1::JobSpec> jobs = {k_sparse, auxiliary,   maps,      momentum, stack,   k_sparse_stack,
                                   tuned,    tuned_stack, denoising, sparse,   dropout, rbm};
  for (v1::JobSpec& job : jobs) EXPECT_EQ(ResolveJobSpec(&job), absl::OkStatus()) << job.model();
  return jobs;
}

// Squares of `side` pixels of the real images as [rows, channels, side, side] in an npy file: a channel is an image.
absl::Status WriteSquares(const std::string& path, int64_t rows, int64_t channels, int64_t side) {
  v1::DatasetRef images;
  images.set_name("fashion-mnist");
  KWTA_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(images, {{kSampleImages}}));
  constexpr int64_t kSide = 28;
  const int64_t first = (kSide - side) / 2;
  std::vector<uint8_t> squares;
  for (int64_t i = 0; i < rows * channels; ++i) {
    const auto* image = static_cast<const uint8_t*>(data.row(i).data);
    for (int64_t y = first; y < first + side; ++y) {
      squares.insert(squares.end(), image + y * kSide + first, image + y * kSide + first + side);
    }
  }
  return WriteNpy(path, {DType::kU8, {rows, channels, side, side}, squares.data()});
}

struct FileJob {
  v1::JobSpec spec;
  int64_t channels, side;  // of the images of its file
};

// Bundles for which there are no checkpoints: without preprocessing, and with every step.
std::vector<FileJob> FileJobs() {
  v1::JobSpec plain = SampleJob("no-steps");
  SetKSparse(&plain, 12);

  v1::JobSpec pixels = SampleJob("pixels");
  SetKSparse(&pixels, 8);
  v1::PreprocessingSpec& steps = *pixels.mutable_preprocessing();
  steps.add_steps()->mutable_grey();
  AddCrop(&pixels, 10);
  v1::ResizeStep& resize = *steps.add_steps()->mutable_resize();
  resize.set_height(7);
  resize.set_width(6);
  steps.add_steps()->mutable_local_contrast()->set_window(3);
  steps.add_steps()->mutable_scale()->set_factor(0.5f);
  steps.add_steps()->mutable_standardise();
  steps.set_subtract_mean(true);

  v1::JobSpec views = SampleJob("views");
  SetKSparse(&views, 8);
  views.mutable_preprocessing()->add_steps()->mutable_separate_views();
  views.mutable_preprocessing()->add_steps()->mutable_standardise();
  views.mutable_preprocessing()->set_subtract_mean(true);

  v1::JobSpec patches = SampleJob("patches");
  SetKSparse(&patches, 8);
  v1::RandomPatchesStep& cut = *patches.mutable_preprocessing()->add_steps()->mutable_random_patches();
  cut.set_size(4);
  cut.set_patches(200);
  patches.mutable_preprocessing()->add_steps()->mutable_global_contrast();
  patches.mutable_preprocessing()->add_steps()->mutable_whiten();

  std::vector<FileJob> jobs = {{plain, 1, 8}, {pixels, 3, 12}, {views, 2, 8}, {patches, 2, 12}};
  for (FileJob& job : jobs) {
    job.spec.mutable_dataset()->set_path("images.npy");
    job.spec.mutable_dataset()->clear_max_rows();
    EXPECT_EQ(ResolveJobSpec(&job.spec), absl::OkStatus()) << job.spec.model();
  }
  return jobs;
}

absl::StatusOr<ModelBundle> RunOnData(const v1::JobSpec& spec, const std::string& data_directory,
                                      const std::string& bundles, const std::string& backend_name,
                                      const TrainingControl& control) {
  KWTA_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(spec.dataset(), {{data_directory}}));
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, CreateBackend(backend_name, {1}));
  std::optional<ModelBundle> base;
  if (spec.has_base()) {
    KWTA_ASSIGN_OR_RETURN(base, ReadModelBundle(absl::StrCat(bundles, "/", spec.base().model(), "/bundle")));
  }
  return RunJob(spec, std::move(base), data, std::move(backend), control);
}

template <typename T>
Tensor ListToTensor(DType dtype, const std::vector<T>& values) {
  Tensor tensor(dtype, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.as<T>());
  return tensor;
}

// The bundle, and beside it rows with the codes that the reference backend makes of them.
absl::Status WriteBundleSample(ModelBundle bundle, const std::string& directory) {
  std::filesystem::create_directories(directory);
  bundle.description.set_kwta_version(kVersion);
  *bundle.description.mutable_created() = google::protobuf::util::TimeUtil::GetCurrentTime();
  KWTA_RETURN_IF_ERROR(WriteModelBundle(directory + "/bundle", bundle));

  KWTA_ASSIGN_OR_RETURN(const auto encoder, CreateEncoder(bundle, CreateBackend("reference", {1}).value()));
  v1::DatasetRef images;
  images.set_name("fashion-mnist");
  images.set_split(v1::DATASET_SPLIT_TEST);
  KWTA_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(images, {{kSampleImages}}));
  // Whatever the model reads, its rows are pieces of one line of pixels from the middles of images.
  Tensor rows(DType::kU8, {kSampleRows, encoder->input_width()});
  for (int64_t j = 0; j < rows.elements(); ++j) {
    constexpr int64_t kPixels = 400, kFirst = 200;
    const auto* image = static_cast<const uint8_t*>(data.row(j / kPixels).data);
    rows.as<uint8_t>()[j] = image[kFirst + j % kPixels];
  }
  SparseCodes codes;
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder->ResolveK({}));
  KWTA_RETURN_IF_ERROR(encoder->EncodeSparse(rows.rows(), k, &codes));
  TensorMap tensors;
  tensors["row_offsets"] = ListToTensor(DType::kI64, codes.row_offsets);
  tensors["indices"] = ListToTensor(DType::kI32, codes.indices);
  tensors["values"] = ListToTensor(DType::kF32, codes.values);
  Tensor reconstructions(DType::kF32, {kSampleRows, encoder->reconstruction_width()});
  const absl::Status decoded = encoder->Reconstruct(rows.rows(), k, reconstructions.as<float>());
  if (!decoded.ok() && !absl::IsUnimplemented(decoded)) return decoded;
  if (decoded.ok()) tensors["reconstructions"] = std::move(reconstructions);
  tensors["rows"] = std::move(rows);
  return WriteSafetensors(directory + "/codes.safetensors", tensors, {});
}

// Trains more than half of a job on the best backend of this machine, which may put updates off where the reference
// does not, and leaves the checkpoint in `directory`.
absl::Status WriteCheckpointSample(const v1::JobSpec& spec, const std::string& bundles, const std::string& directory) {
  std::filesystem::create_directories(directory);
  google::protobuf::util::JsonPrintOptions json_options;
  json_options.add_whitespace = true;
  json_options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(spec, &json, json_options);
  if (!printed.ok()) return absl::InternalError(std::string(printed.message()));
  KWTA_RETURN_IF_ERROR(WriteFileAtomically(directory + "/job.json", json));

  std::atomic<bool> stop{false};
  TrainingControl control;
  control.checkpoint_directory = directory;
  control.report_seconds = 0;  // after each update
  control.stop = &stop;
  control.report = [&](const v1::TrainingProgress& progress) { stop = progress.fraction() > 0.6; };
  const absl::Status stopped = RunSampleJob(spec, bundles, "", control).status();
  if (absl::IsCancelled(stopped)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the job was to be interrupted, and ended so: ", stopped.ToString()));
}

}  // namespace

std::vector<std::string> FoldersIn(const std::string& directory) {
  std::vector<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

absl::StatusOr<v1::JobSpec> ReadSampleJob(const std::string& checkpoint) {
  KWTA_ASSIGN_OR_RETURN(const std::string json, ReadFile(checkpoint + "/job.json", 1 << 20));
  v1::JobSpec spec;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &spec);
  if (!parsed.ok()) return absl::DataLossError(absl::StrCat(checkpoint, "/job.json: ", parsed.ToString()));
  return spec;
}

absl::StatusOr<ModelBundle> RunSampleJob(const v1::JobSpec& spec, const std::string& bundles,
                                         const std::string& backend, const TrainingControl& control) {
  return RunOnData(spec, kSampleImages, bundles, backend, control);
}

absl::Status WriteFormatSamples(const std::string& directory) {
  const std::string bundles = directory + "/bundles";
  for (const v1::JobSpec& spec : InterruptedJobs()) {
    const std::string checkpoint = absl::StrCat(directory, "/checkpoints/", spec.model());
    KWTA_RETURN_IF_ERROR(WriteCheckpointSample(spec, bundles, checkpoint));
    const TemporaryDirectory work;  // a job overwrites its checkpoint
    std::filesystem::copy(checkpoint, work.path());
    TrainingControl control;
    control.checkpoint_directory = work.path();
    KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, RunSampleJob(spec, bundles, "reference", control));
    KWTA_RETURN_IF_ERROR(WriteBundleSample(std::move(bundle), absl::StrCat(bundles, "/", spec.model())));
  }
  for (const FileJob& job : FileJobs()) {
    const TemporaryDirectory images;
    KWTA_RETURN_IF_ERROR(WriteSquares(images.File("images.npy"), kSampleTrainingRows, job.channels, job.side));
    KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, RunOnData(job.spec, images.path(), bundles, "reference", {}));
    KWTA_RETURN_IF_ERROR(WriteBundleSample(std::move(bundle), absl::StrCat(bundles, "/", job.spec.model())));
  }
  return absl::OkStatus();
}

}  // namespace kwta
