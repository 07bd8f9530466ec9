// Lists of commands that come again and again, and are launched as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/cuda/device.h"

namespace kwta::cuda {

// Commands that a device launches as one, in their order. Their number, kernels and sizes stay; arguments may change.
class Graph {
 public:
  virtual ~Graph() = default;
  // Gives command `i` its arguments for launches from now on.
  virtual absl::Status Update(size_t i, const Command& command) = 0;
};

// The graphs of the lists that came often lately. Not thread-safe.
class GraphCache {
 public:
  // A list becomes a graph when it comes for the third time: building one costs as much as many launches.
  static constexpr int kUses = 3;
  // Shorter lists are launched one by one.
  static constexpr size_t kLeastCommands = 4;
  // Lists that are remembered, and graphs that live.
  static constexpr size_t kMost = 32;
  // Makes a graph of commands.
  using Factory = std::function<absl::StatusOr<std::unique_ptr<Graph>>(const std::vector<Command>&)>;

  explicit GraphCache(Factory factory) : factory_(std::move(factory)) {}

  // The graph of `commands`, with their arguments; none if they should be launched one by one. It lives until the next
  // call.
  absl::StatusOr<Graph*> Find(const std::vector<Command>& commands);

 private:
  struct Entry {
    std::vector<Command> commands;  // with the arguments that the graph has
    int uses = 0;
    std::unique_ptr<Graph> graph;
  };

  const Factory factory_;
  std::list<Entry> entries_;  // the last one used is first
};

}  // namespace kwta::cuda
