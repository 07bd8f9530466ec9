// The series of the device that encodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/metrics/collection.h"
#include "server/placement/serving_device.h"

namespace kwta::server {

// A version in memory, and where it computes.
struct PlacedVersion {
  std::string model;
  uint64_t version = 0;
  bool on_device = false;
};

struct DeviceGauges {
  std::optional<DeviceState> state;   // of a server that has a device or looked for one
  std::vector<PlacedVersion> placed;  // empty without a device
};

void CollectDevice(const DeviceGauges& gauges, Collection* collection);

}  // namespace kwta::server
