#include "server/metrics/model_use.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/encoders/encoder_registry.h"

namespace kwta::server {
namespace {

// One live row in this many is reconstructed, as far as time allows.
constexpr int64_t kSampleOneIn = 100;

bool IsUsualError(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

SampleLabels With(SampleLabels labels, const char* name, std::string value) {
  labels.push_back({name, std::move(value)});
  return labels;
}

}  // namespace

void AnswerCounts::Collect(const SampleLabels& labels, Collection* collection) const {
  std::array<uint64_t, kCodes> counts;
  bool any = false;
  for (size_t code = 0; code < kCodes; ++code) {
    counts[code] = counts_[code].load(std::memory_order_relaxed);
    any |= counts[code] > 0;
  }
  for (size_t number = 0; number < kCodes; ++number) {
    const auto code = static_cast<absl::StatusCode>(number);
    if (counts[number] == 0 && code != absl::StatusCode::kOk && !(any && IsUsualError(code))) continue;
    collection->Add("kwta_requests_total", With(labels, "code", absl::StatusCodeToString(code)),
                    static_cast<double>(counts[number]));
  }
}

ModelUse::ModelUse(std::string model, uint64_t version, std::shared_ptr<ModelTimes> times)
    : model_(std::move(model)), version_(version), times_(std::move(times)) {}

void ModelUse::Describe(const v1::ModelDescription& description, int64_t code_width) {
  absl::MutexLock lock(&mutex_);
  description_ = description;
  path_changes_ = UINT64_MAX;
  const float active_above = ActiveAbove(description.encoder());
  if (window_ != nullptr && window_->units() == code_width && window_->active_above() == active_above) return;
  window_ = std::make_unique<ActivityWindow>(code_width, kActivityWindowRows, active_above);
  dead_units_ = 0;
}

bool ModelUse::NotePath(const Encoder& encoder) {
  const uint64_t changes = encoder.path_changes();
  if (path_changes_.exchange(changes, std::memory_order_relaxed) == changes) return false;
  std::string name = encoder.path().name;
  absl::MutexLock lock(&mutex_);
  path_ = std::move(name);
  return true;
}

void ModelUse::Encoded(const Codes& codes) {
  rows_encoded_.fetch_add(static_cast<uint64_t>(CodeRows(codes)), std::memory_order_relaxed);
  absl::MutexLock lock(&mutex_);
  // A version that was read again may have another width than the one that a batch still holds.
  if (window_ == nullptr || window_->units() != CodeUnits(codes) || !window_->Add(codes)) return;
  const UnitCounts& complete = window_->complete();
  ++windows_;
  dead_units_ = complete.dead_units();
  std::vector<uint64_t> counts(frequencies_.buckets());
  for (const uint32_t rows : complete.active_in) {
    ++counts[frequencies_.BucketOf(static_cast<double>(rows) / static_cast<double>(complete.rows))];
  }
  frequencies_.Add(counts, complete.l0());
}

bool ModelUse::SampleOneOf(int64_t rows, int64_t* which) {
  if (rows_to_sample_ >= rows) {
    rows_to_sample_ -= rows;
    return false;
  }
  *which = rows_to_sample_;
  // One row of a batch is enough, however long the batch.
  rows_to_sample_ = std::max<int64_t>(kSampleOneIn - (rows - *which), 0);
  return true;
}

void ModelUse::Sampled(const float* x, const float* xhat, int64_t width) {
  absl::MutexLock lock(&mutex_);
  sample_.Add(x, xhat, width);
  ++sampled_rows_;
}

double ModelUse::training_unexplained() const {
  absl::MutexLock lock(&mutex_);
  return description_.statistics().fraction_variance_unexplained();
}

ModelActivity ModelUse::Activity() const {
  absl::MutexLock lock(&mutex_);
  ModelActivity activity;
  activity.version = version_;
  if (window_ != nullptr) {
    activity.complete = window_->complete().rows > 0;
    activity.counts = activity.complete ? window_->complete() : window_->current();
  }
  activity.live_unexplained = sample_.fraction_variance_unexplained();
  activity.training_unexplained = description_.statistics().fraction_variance_unexplained();
  activity.drift_rows = sampled_rows_;
  return activity;
}

SampleLabels ModelUse::Labels() const {
  SampleLabels labels = {{"model", model_}};
  if (version_ != 0) labels.push_back({"version", absl::StrCat(version_)});
  return labels;
}

void ModelUse::Collect(Collection* collection) const {
  const SampleLabels labels = Labels();
  for (size_t method = 0; method < kComputingMethodCount; ++method) {
    SampleLabels of_method = {{"method", kComputingMethods[method]}};
    of_method.insert(of_method.end(), labels.begin(), labels.end());
    answers_[method].Collect(of_method, collection);
  }
  if (version_ == 0) return;
  const auto add = [&](const char* family, double value) { collection->Add(family, labels, value); };
  add("kwta_rows_encoded_total", static_cast<double>(rows_encoded_.load(std::memory_order_relaxed)));
  add("kwta_model_memory_bytes", static_cast<double>(memory_bytes_.load(std::memory_order_relaxed)));
  add("kwta_model_last_load_seconds", last_load_seconds_.load(std::memory_order_relaxed));
  const SampleLabels of_window = With(labels, "window_rows", absl::StrCat(kActivityWindowRows));
  collection->Add("kwta_unit_activation_frequency", of_window, frequencies_.Snapshot());

  absl::MutexLock lock(&mutex_);
  const int64_t trained_units = UnitCount(description_.encoder());
  collection->Add("kwta_model_info",
                  {{"model", model_},
                   {"version", absl::StrCat(version_)},
                   {"encoder", EncoderKindName(description_.encoder())},
                   {"units", absl::StrCat(trained_units)},
                   {"code_width", absl::StrCat(description_.code_width())},
                   {"input_width", absl::StrCat(description_.input_width())}},
                  1);
  if (!path_.empty()) collection->Add("kwta_model_path", With(labels, "path", path_), 1);
  add("kwta_model_units", static_cast<double>(window_ == nullptr ? 0 : window_->units()));
  add("kwta_active_unit_fraction", window_ == nullptr ? 0 : window_->latest().active_fraction());
  add("kwta_code_l0", window_ == nullptr ? 0 : window_->latest().l0());
  add("kwta_activity_windows_total", static_cast<double>(windows_));
  collection->Add("kwta_dead_units", of_window, static_cast<double>(dead_units_));
  const v1::TrainingStatistics& training = description_.statistics();
  add("kwta_training_dead_units", static_cast<double>(training.dead_units()));
  add("kwta_training_units", static_cast<double>(trained_units));
  add("kwta_training_fraction_variance_unexplained", training.fraction_variance_unexplained());
  add("kwta_drift_rows_total", static_cast<double>(sampled_rows_));
  collection->Add("kwta_live_fraction_variance_unexplained",
                  With(labels, "sample_rows", absl::StrCat(kDriftSampleRows)), sample_.fraction_variance_unexplained());
}

}  // namespace kwta::server
