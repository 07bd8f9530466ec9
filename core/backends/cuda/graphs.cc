#include "core/backends/cuda/graphs.h"

#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"

namespace kwta::cuda {
namespace {

// Whether a graph of the one can become one of the other.
bool SameShape(const std::vector<Command>& a, const std::vector<Command>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Command& x, const Command& y) {
    return x.kernel == y.kernel && x.blocks == y.blocks && x.threads == y.threads && x.shared_bytes == y.shared_bytes &&
           x.args.size() == y.args.size() && x.bytes == y.bytes;
  });
}

}  // namespace

absl::StatusOr<Graph*> GraphCache::Find(const std::vector<Command>& commands) {
  if (commands.size() < kLeastCommands) return nullptr;
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return SameShape(entry.commands, commands); });
  if (found == entries_.end()) {
    entries_.emplace_front();
    entries_.front().commands = commands;
    entries_.front().uses = 1;
    if (entries_.size() > kMost) entries_.pop_back();
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found);
  Entry& entry = entries_.front();
  if (++entry.uses < kUses) return nullptr;
  if (entry.graph == nullptr) {
    KWTA_ASSIGN_OR_RETURN(entry.graph, factory_(commands));
    entry.commands = commands;
    return entry.graph.get();
  }
  for (size_t i = 0; i < commands.size(); ++i) {
    Command& held = entry.commands[i];
    if (held.args == commands[i].args && held.memory == commands[i].memory) continue;
    KWTA_RETURN_IF_ERROR(entry.graph->Update(i, commands[i]));
    held = commands[i];
  }
  return entry.graph.get();
}

}  // namespace kwta::cuda
