#include "server/metrics/call_series.h"

#include <string_view>

namespace kwta::server {

CallSeries::CallSeries(ModelSeries* models) : models_(models) {
  for (const char* method : kComputingMethods) AddMethod(method);
}

CallSeries::Method& CallSeries::Make(absl::string_view name) {
  std::unique_ptr<Method>& method = methods_[std::string(name)];
  if (method != nullptr) return *method;
  method = std::make_unique<Method>();
  for (size_t i = 0; i < kComputingMethodCount; ++i) {
    if (name == kComputingMethods[i]) method->computing = i;
  }
  return *method;
}

void CallSeries::AddMethod(absl::string_view method) {
  absl::MutexLock lock(&mutex_);
  Make(method);
}

CallSeries::Method& CallSeries::Find(absl::string_view name) {
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = methods_.find(std::string_view(name.data(), name.size()));
    if (found != methods_.end()) return *found->second;
  }
  absl::MutexLock lock(&mutex_);
  return Make(name);
}

void CallSeries::Done(absl::string_view name, const absl::Status& status, std::optional<double> seconds,
                      const RequestSubject& subject) {
  Method& method = Find(name);
  AnswerCounts* answers = &method.answers;
  if (method.computing.has_value() && subject.model != nullptr) {
    answers = &subject.model->answers(*method.computing);
  } else if (method.computing.has_value() && subject.unknown) {
    answers = &models_->unknown(*method.computing);
  }
  answers->Add(status.code());
  if (seconds.has_value()) method.seconds.Observe(*seconds);
  // The first two.
  if (method.computing.has_value() && *method.computing < 2) encode_requests_.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) return;
  if (subject.unknown && absl::IsNotFound(status)) return Refuse(Refusal::kUnknownModel);
  if (const std::optional<Refusal> refusal = RefusalOf(status); refusal.has_value()) Refuse(*refusal);
}

std::map<std::string, uint64_t> CallSeries::Refusals() const {
  std::map<std::string, uint64_t> refusals;
  for (size_t i = 0; i < kRefusals; ++i) {
    const uint64_t count = refusals_[i].load(std::memory_order_relaxed);
    if (count > 0) refusals[RefusalName(static_cast<Refusal>(i))] = count;
  }
  return refusals;
}

void CallSeries::Collect(Collection* collection) const {
  for (size_t i = 0; i < kRefusals; ++i) {
    collection->Add("kwta_refusals_total", {{"reason", RefusalName(static_cast<Refusal>(i))}},
                    static_cast<double>(refusals_[i].load(std::memory_order_relaxed)));
  }
  absl::ReaderMutexLock lock(&mutex_);
  for (const auto& [name, method] : methods_) {
    method->answers.Collect({{"method", name}}, collection);
    prometheus::ClientMetric::Histogram seconds = method->seconds.Snapshot();
    if (!method->computing.has_value() && seconds.sample_count == 0) continue;  // a histogram is long
    collection->Add("kwta_request_seconds", {{"method", name}}, std::move(seconds));
  }
}

}  // namespace kwta::server
