#include "server/metrics/device_series.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::server {

void CollectDevice(const DeviceGauges& gauges, Collection* collection) {
  const DeviceState state = gauges.state.value_or(DeviceState());
  const bool opened = !state.name.empty();
  if (opened) collection->Add("kwta_device_info", {{"device", state.name}}, 1);
  const std::pair<const char*, double> values[] = {
      {"kwta_device_failed", opened && !state.failure.ok() ? 1 : 0},
      {"kwta_device_memory_size_bytes", static_cast<double>(state.memory_bytes)},
      {"kwta_device_memory_used_bytes", static_cast<double>(state.used_bytes)},
      {"kwta_device_models_bytes", static_cast<double>(state.models_bytes)},
      {"kwta_device_models_bytes_limit", static_cast<double>(state.models_bytes_limit)},
      {"kwta_device_batches_in_flight", static_cast<double>(state.batches_in_flight)},
      {"kwta_device_batches_total", static_cast<double>(state.batches)},
      {"kwta_device_copy_seconds_total", state.copy_seconds},
      {"kwta_device_kernel_seconds_total", state.kernel_seconds}};
  for (const auto& [family, value] : values) collection->Add(family, {}, value);
  collection->Add("kwta_device_fallbacks_total", {{"reason", "memory"}}, static_cast<double>(state.full_fallbacks));
  collection->Add("kwta_device_fallbacks_total", {{"reason", "failure"}}, static_cast<double>(state.failure_fallbacks));
  for (const PlacedVersion& version : gauges.placed) {
    collection->Add("kwta_model_placement",
                    {{"model", version.model},
                     {"version", absl::StrCat(version.version)},
                     {"place", version.on_device ? "device" : "processor"}},
                    1);
  }
}

}  // namespace kwta::server
