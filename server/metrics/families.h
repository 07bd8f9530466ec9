// Every metric family that the server exports: name, type, unit, labels, help and buckets. docs/metrics.md is written
// from this table.
#pragma once

#include <prometheus/metric_type.h>

#include "absl/types/span.h"

namespace kwta::server {

struct FamilyDefinition {
  const char* name;
  prometheus::MetricType type;
  const char* unit;
  const char* labels;  // separated by ", "; empty: none
  const char* help;
};

// In the order of /metrics and of the documentation.
absl::Span<const FamilyDefinition> AllFamilies();

// Upper bounds of buckets, ascending. Another bucket holds what is larger than the last one.
absl::Span<const double> SecondsBounds();              // 50 us to 10 s, about three a decade
absl::Span<const double> RowsBounds();                 // rows of a batch
absl::Span<const double> ActivationFrequencyBounds();  // fraction of rows; the first bucket holds dead units
absl::Span<const double> JobQueueSecondsBounds();      // 0.1 s to a day

}  // namespace kwta::server
