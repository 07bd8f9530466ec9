// The samples of one scrape.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kwta::server {

// Label names and values. They are shown in the order of names.
using SampleLabels = std::vector<prometheus::ClientMetric::Label>;

// Gathers samples into the families of AllFamilies(). Not thread-safe.
class Collection {
 public:
  Collection();

  // Add a sample to a family. REQUIRES: AllFamilies() has the family, with this type.
  void Add(std::string_view family, SampleLabels labels, double value);
  void Add(std::string_view family, SampleLabels labels, prometheus::ClientMetric::Histogram histogram);

  // Returns all families in Prometheus's text format. A family without a sample gets one without labels, at zero, so
  // that queries find every family from the first scrape on.
  std::string Text() &&;

 private:
  prometheus::MetricFamily& Find(std::string_view family);
  static prometheus::ClientMetric& Sample(prometheus::MetricFamily& family, SampleLabels labels);

  std::vector<prometheus::MetricFamily> families_;
  std::unordered_map<std::string_view, size_t> places_;
};

}  // namespace kwta::server
