#include "core/research/reproduction/workbench.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/base/cpu.h"
#include "core/base/status_macros.h"
#include "core/base/version.h"
#include "core/encoders/encoder_registry.h"
#include "core/files/files.h"
#include "core/files/sha256.h"
#include "core/io/datasets/stored_blocks.h"
#include "core/io/model_bundle.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"

namespace kwta {
namespace {

constexpr int64_t kLargestF32 = int64_t{1} << 29;      // elements
constexpr uint64_t kLargestPiece = uint64_t{1} << 26;  // bytes of a file of finished numbers
constexpr uint32_t kCheckpoints = 100;                 // per long training

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FileError(error.value(), "make the directory", path);
  return absl::OkStatus();
}

// The upper half of a float's bits, rounded to nearest (ties away from zero, which does not affect measurements).
uint16_t ToBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x8000u) >> 16);
}

// Whether a name matches a pattern of the shell, whatever the case.
bool Matches(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), FNM_CASEFOLD) == 0;
}

std::string FileName(const std::string& label) {
  std::string name;
  for (const char c : label) name += absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '-';
  return name.substr(0, 60);
}

// What a training depends on: its result does not on the number of threads.
v1::JobSpec WithoutThreads(v1::JobSpec job) {
  job.mutable_training()->clear_threads();
  return job;
}

nlohmann::json MeasurementKey(const v1::JobSpec& job, const nlohmann::json& key) {
  return {{"job", ProtoJson(WithoutThreads(job))}, {"measured", key}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Workbench>> Workbench::Create(const ReproductionOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, CreateBackend("", {options.threads}));
  std::unique_ptr<Workbench> bench(new Workbench(options, std::move(backend), ResolveThreads(options.threads)));
  const std::string state = bench->StatePath("", "", "");
  std::error_code error;
  if (options.report_only && !std::filesystem::is_directory(state, error)) {
    return absl::NotFoundError(absl::StrCat("there is no directory '", state,
                                            "', so there is nothing to report; expected the output directory of an "
                                            "earlier run, or a run without report_only"));
  }
  KWTA_RETURN_IF_ERROR(MakeDirectories(state));
  return bench;
}

int Workbench::seeds() const { return options_.seeds > 0 ? options_.seeds : options_.quick ? 1 : 3; }

void Workbench::Start(const std::string& stage) {
  stage_ = stage;
  Update(0);
}

void Workbench::Update(double fraction) {
  if (options_.progress) options_.progress(stage_, fraction);
}

absl::Status Workbench::CheckStop() const {
  if (options_.stop == nullptr || !options_.stop->load()) return absl::OkStatus();
  return absl::CancelledError("stopped; the same command goes on from here");
}

absl::Status Workbench::Advance(double fraction) {
  Update(fraction);
  return CheckStop();
}

absl::StatusOr<std::string> Workbench::Digits() const {
  v1::DatasetRef reference;
  reference.set_name("mnist");
  reference.set_max_rows(1);
  const absl::Status found = Load(reference).status();
  if (found.ok()) return "mnist";
  if (!options_.quick || !absl::IsNotFound(found)) return found;
  return "fashion-mnist";
}

absl::StatusOr<Dataset> Workbench::Load(const v1::DatasetRef& reference) const {
  return LoadDataset(reference, {options_.data_directories});
}

std::string Workbench::ReportPath(absl::string_view extension) const {
  return absl::StrCat(options_.output_directory, "/", options_.table, extension);
}

absl::Status Workbench::Publish(Report* report) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  report->settings = {
      {"table", options_.table},        {"quick", options_.quick},     {"seeds", seeds()},
      {"threads", backend_->threads()}, {"backend", backend_->name()}, {"kwta_version", std::string(kVersion)},
      {"seconds_of_this_run", seconds}};
  KWTA_RETURN_IF_ERROR(WriteFileAtomically(ReportPath(".html"), ReportHtml(*report)));
  return WriteFileAtomically(ReportPath(".json"), ReportJson(*report).dump(1) + "\n");
}

// The path of the state that `key` identifies, or the state directory itself if `kind` is empty.
std::string Workbench::StatePath(absl::string_view kind, const std::string& label, absl::string_view key) const {
  std::string root = absl::StrCat(options_.output_directory, "/state");
  if (kind.empty()) return root;
  Sha256 hash;
  hash.Add(key);
  return absl::StrCat(root, "/", kind, "-", FileName(label), "-", absl::BytesToHexString(hash.Finish()).substr(0, 16));
}

absl::StatusOr<v1::JobSpec> Workbench::Resolved(v1::JobSpec spec, const ModelBundle* base) const {
  spec.set_model("reproduction");
  if (base != nullptr) spec.mutable_base()->set_model(base->description.name());
  spec.mutable_training()->set_threads(options_.threads);
  if (!spec.training().has_checkpoint_epochs()) {
    spec.mutable_training()->set_checkpoint_epochs(std::max<uint32_t>(1, spec.training().epochs() / kCheckpoints));
  }
  KWTA_RETURN_IF_ERROR(ResolveJobSpec(&spec));
  return spec;
}

absl::StatusOr<ModelBundle> Workbench::TrainFrom(const std::string& checkpoints, const v1::JobSpec& spec,
                                                 const ModelBundle* base) {
  const std::string rows = spec.dataset().SerializeAsString();
  if (!rows_.has_value() || trained_on_ != rows) {
    rows_.reset();  // two data sets may not fit into memory
    KWTA_ASSIGN_OR_RETURN(rows_, Load(spec.dataset()));
    trained_on_ = rows;
  }
  KWTA_RETURN_IF_ERROR(MakeDirectories(checkpoints));
  TrainingControl control;
  control.checkpoint_directory = checkpoints;
  control.stop = options_.stop;
  control.report = [this](const v1::TrainingProgress& progress) { Update(progress.fraction()); };
  std::optional<ModelBundle> copy;
  if (base != nullptr) copy = base->Clone();
  absl::StatusOr<ModelBundle> bundle = RunJob(spec, std::move(copy), *rows_, backend_, control);
  if (absl::IsFailedPrecondition(bundle.status())) KWTA_RETURN_IF_ERROR(rows_->CheckUnchanged());
  return bundle;
}

absl::StatusOr<ModelBundle> Workbench::Train(const std::string& label, v1::JobSpec spec, const ModelBundle* base) {
  KWTA_RETURN_IF_ERROR(CheckStop());
  KWTA_ASSIGN_OR_RETURN(spec, Resolved(std::move(spec), base));
  std::string key = WithoutThreads(spec).SerializeAsString();
  if (base != nullptr) key += base->description.SerializeAsString();
  const std::string directory = StatePath("model", label, key);
  absl::StatusOr<ModelBundle> finished = ReadModelBundle(directory);
  if (finished.ok() || !(absl::IsNotFound(finished.status()) || absl::IsDataLoss(finished.status()))) return finished;
  KWTA_RETURN_IF_ERROR(RemoveAll(directory));

  Start("training " + label);
  const std::string checkpoints = StatePath("checkpoint", label, key);
  KWTA_ASSIGN_OR_RETURN(const ModelBundle bundle, TrainFrom(checkpoints, spec, base));
  KWTA_RETURN_IF_ERROR(WriteModelBundle(directory, bundle));
  KWTA_RETURN_IF_ERROR(RemoveAll(checkpoints));
  return ReadModelBundle(directory);
}

absl::StatusOr<nlohmann::json> Workbench::MeasureOnce(
    const std::string& label, const v1::JobSpec& spec, const nlohmann::json& key,
    const std::function<absl::StatusOr<nlohmann::json>(const absl::StatusOr<ModelBundle>&)>& measure) {
  KWTA_ASSIGN_OR_RETURN(const v1::JobSpec job, Resolved(spec, nullptr));
  const std::string checkpoints = StatePath("checkpoint", label, WithoutThreads(job).SerializeAsString());
  KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Once(label, MeasurementKey(job, key),
                                                    [&] { return measure(TrainFrom(checkpoints, job, nullptr)); }));
  KWTA_RETURN_IF_ERROR(RemoveAll(checkpoints));
  return result;
}

absl::StatusOr<std::optional<nlohmann::json>> Workbench::Measured(const std::string& label, const v1::JobSpec& spec,
                                                                  const nlohmann::json& key) const {
  KWTA_ASSIGN_OR_RETURN(const v1::JobSpec job, Resolved(spec, nullptr));
  return Recorded(label, MeasurementKey(job, key));
}

bool Workbench::Wants(const std::string& name) const {
  if (options_.report_only) return false;
  const std::vector<std::string>& only = options_.only;
  return only.empty() ||
         std::any_of(only.begin(), only.end(), [&](const std::string& pattern) { return Matches(pattern, name); });
}

absl::Status Workbench::CheckOnly(const std::vector<std::string>& names, absl::string_view form) const {
  for (const std::string& pattern : options_.only) {
    const auto matched = [&names](const std::string& by) {
      return std::count_if(names.begin(), names.end(), [&by](const std::string& name) { return Matches(by, name); });
    };
    if (matched(pattern) > 0) continue;
    const std::string wider = absl::StrCat("*", pattern, "*");
    const int64_t near = pattern.empty() ? 0 : matched(wider);
    return absl::InvalidArgumentError(absl::StrCat(
        "only has the pattern '", pattern, "', which matches none of the ", names.size(), " trainings of ",
        options_.table, "; ",
        near == 0 ? "expected a pattern of a whole name"
                  : absl::StrCat("a pattern stands for a whole name: '", wider, "' matches ", near, " of them"),
        ". Names: ", form));
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> Workbench::Codes(const ModelBundle& model, const Dataset& data, const EncodeOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, backend_));
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder->ResolveK(options));
  const int64_t width = encoder->code_width();
  const bool halves = data.rows() * width > kLargestF32;
  Tensor codes(halves ? DType::kBF16 : DType::kF32, {data.rows(), width});
  std::vector<float> block(halves ? kStoredBlockRows * width : 0);
  KWTA_RETURN_IF_ERROR(ForEachStoredBlock(data, [&](const RowsView& rows, int64_t first) {
    float* out = halves ? block.data() : codes.as<float>() + first * width;
    KWTA_RETURN_IF_ERROR(encoder->EncodeDense(rows, k, out));
    if (halves) std::transform(out, out + rows.rows * width, codes.as<uint16_t>() + first * width, ToBF16);
    return Advance(static_cast<double>(first + rows.rows) / static_cast<double>(data.rows()));
  }));
  return codes;
}

absl::StatusOr<std::optional<nlohmann::json>> Workbench::Recorded(const std::string& label,
                                                                  const nlohmann::json& key) const {
  const absl::StatusOr<std::string> stored = ReadFile(StatePath("piece", label, key.dump()) + ".json", kLargestPiece);
  if (absl::IsNotFound(stored.status())) return std::nullopt;
  KWTA_RETURN_IF_ERROR(stored.status());
  const nlohmann::json piece = nlohmann::json::parse(*stored, nullptr, false);
  if (piece.is_object() && piece.contains("result") && piece["key"] == key) return piece["result"];
  return std::nullopt;
}

absl::StatusOr<nlohmann::json> Workbench::Once(const std::string& label, const nlohmann::json& key,
                                               const std::function<absl::StatusOr<nlohmann::json>()>& compute) {
  KWTA_RETURN_IF_ERROR(CheckStop());
  KWTA_ASSIGN_OR_RETURN(std::optional<nlohmann::json> recorded, Recorded(label, key));
  if (recorded.has_value()) return *std::move(recorded);
  Start(label);
  KWTA_ASSIGN_OR_RETURN(nlohmann::json result, compute());
  KWTA_RETURN_IF_ERROR(WriteFileAtomically(StatePath("piece", label, key.dump()) + ".json",
                                           nlohmann::json{{"key", key}, {"result", result}}.dump(1)));
  return result;
}

Tensor StoredRows(const Dataset& data) {
  Tensor rows(data.dtype(), {data.rows(), data.width()});
  std::vector<uint32_t> all(data.rows());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint32_t>(i);
  data.Gather(all.data(), data.rows(), rows.data());
  return rows;
}

}  // namespace kwta
