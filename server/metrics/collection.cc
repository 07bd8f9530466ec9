#include "server/metrics/collection.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "server/metrics/families.h"

namespace kwta::server {

Collection::Collection() {
  for (const FamilyDefinition& definition : AllFamilies()) {
    places_[definition.name] = families_.size();
    families_.push_back({definition.name, definition.help, definition.type, {}});
  }
}

prometheus::MetricFamily& Collection::Find(std::string_view family) {
  const auto found = places_.find(family);
  if (found == places_.end()) std::abort();  // a slip of the pen, which every test of /metrics finds
  return families_[found->second];
}

prometheus::ClientMetric& Collection::Sample(prometheus::MetricFamily& family, SampleLabels labels) {
  std::sort(labels.begin(), labels.end());
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  return metric;
}

void Collection::Add(std::string_view family, SampleLabels labels, double value) {
  prometheus::MetricFamily& to = Find(family);
  prometheus::ClientMetric& metric = Sample(to, std::move(labels));
  (to.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

void Collection::Add(std::string_view family, SampleLabels labels, prometheus::ClientMetric::Histogram histogram) {
  Sample(Find(family), std::move(labels)).histogram = std::move(histogram);
}

std::string Collection::Text() && {
  for (prometheus::MetricFamily& family : families_) {
    if (family.metric.empty()) family.metric.emplace_back();
  }
  return prometheus::TextSerializer().Serialize(families_);
}

}  // namespace kwta::server
