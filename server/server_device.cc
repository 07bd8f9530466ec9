// What the server computes with, and how its device is doing.
#include <spdlog/spdlog.h>

#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/version.h"
#include "server/compute_priority.h"
#include "server/server_parts.h"

namespace kwta::server {

absl::Status Server::Parts::StartComputing() {
  absl::StatusOr<ComputeBackends> opened;
  // The backends' threads inherit the priority of the thread that creates them.
  std::thread([&] {
    LowerPriorityOfComputing();
    opened = open_backends(options);
  }).join();
  KWTA_RETURN_IF_ERROR(opened.status());
  no_device = opened->no_device;
  if (opened->device != nullptr) {
    const WhenDeviceIsFull when_full =
        options.device_full == "refuse" ? WhenDeviceIsFull::kRefuse : WhenDeviceIsFull::kCompute;
    device = std::make_shared<ServingDevice>(
        opened->device, options.device_memory_bytes, when_full, [](const absl::Status& failure) {
          spdlog::error("the device has failed; its models go on on the processor, with the same codes: {}",
                        std::string(failure.message()));
        });
    const DeviceState state = device->State();
    spdlog::info("{} encodes: {} of its {} bytes are for models", state.name, state.models_bytes_limit,
                 state.memory_bytes);
  }
  const Backend& best = opened->device != nullptr ? *opened->device : *opened->processor;
  facts = {kVersion, absl::Now(), best.name(), opened->processor->threads(), "", options.max_message_bytes};
  KWTA_ASSIGN_OR_RETURN(DeviceModels on_device, ParseDeviceModels(options.device_models));
  placer = std::make_unique<ModelPlacer>(opened->processor, device, std::move(on_device));
  return absl::OkStatus();
}

std::optional<DeviceState> Server::Parts::Device() const {
  if (device != nullptr) return device->State();
  if (no_device.ok()) return std::nullopt;
  DeviceState state;
  state.failure = no_device;
  return state;
}

DeviceGauges Server::Parts::MeasureDevice() const {
  DeviceGauges gauges;
  gauges.state = Device();
  if (device == nullptr || !ready) return gauges;
  for (const ModelInfo& model : models->List()) {
    for (const ModelVersionInfo& version : model.versions) {
      if (version.state != ModelState::kReady) continue;
      gauges.placed.push_back({model.name, version.version, !version.placement.device.empty()});
    }
  }
  return gauges;
}

std::string Server::Parts::Trouble() const {
  std::string trouble;
  if (const absl::Status store_trouble = StoreTrouble(); !store_trouble.ok()) {
    trouble = absl::StrCat("jobs wait for the store: ", store_trouble.message());
  }
  if (device != nullptr) {
    if (const absl::Status failure = device->failure(); !failure.ok()) {
      absl::StrAppend(&trouble, trouble.empty() ? "" : "; ",
                      "the processor computes, since the device has failed: ", failure.message());
    }
  }
  return trouble;
}

v1::StatusResponse Server::Parts::Status() const {
  return ReportStatus(facts, draining, *models, *store, StoreTrouble(), *metrics, Device());
}

}  // namespace kwta::server
