#include "server/oip/inference_statistics.h"

namespace kwta::server {
namespace {

// The most versions to remember. Only a server that runs for very long sees more.
constexpr size_t kMostVersions = 10000;

void Add(absl::Duration time, inference::StatisticDuration* statistic) {
  statistic->set_count(statistic->count() + 1);
  statistic->set_ns(statistic->ns() + static_cast<uint64_t>(absl::ToInt64Nanoseconds(time)));
}

}  // namespace

void InferenceStatistics::Succeeded(const std::string& model, uint64_t version, absl::Time now,
                                    const InferenceTimes& times) {
  absl::MutexLock lock(&mutex_);
  if (versions_.size() >= kMostVersions) versions_.erase(versions_.begin());
  inference::ModelStatistics& statistics = versions_[{model, version}];
  statistics.set_last_inference(static_cast<uint64_t>(absl::ToUnixMillis(now)));
  statistics.set_inference_count(statistics.inference_count() + static_cast<uint64_t>(times.rows));
  statistics.set_execution_count(statistics.execution_count() + static_cast<uint64_t>(times.batches));
  inference::InferStatistics& inferences = *statistics.mutable_inference_stats();
  Add(times.whole, inferences.mutable_success());
  Add(times.queue, inferences.mutable_queue());
  Add(times.input, inferences.mutable_compute_input());
  Add(times.compute, inferences.mutable_compute_infer());
  Add(times.output, inferences.mutable_compute_output());
}

void InferenceStatistics::Failed(const std::string& model, uint64_t version, absl::Duration whole) {
  absl::MutexLock lock(&mutex_);
  if (versions_.size() >= kMostVersions) versions_.erase(versions_.begin());
  Add(whole, versions_[{model, version}].mutable_inference_stats()->mutable_fail());
}

std::vector<inference::ModelStatistics> InferenceStatistics::Of(const std::string& model, uint64_t version) const {
  absl::MutexLock lock(&mutex_);
  std::vector<inference::ModelStatistics> found;
  for (const auto& [key, statistics] : versions_) {
    if ((!model.empty() && key.first != model) || (version != 0 && key.second != version)) continue;
    found.push_back(statistics);
    found.back().set_name(key.first);
    found.back().set_version(std::to_string(key.second));
  }
  return found;
}

}  // namespace kwta::server
