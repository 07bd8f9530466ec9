#include "tests/core/backends/cuda/emulation/queues.h"

#include <utility>

namespace kwta::cuda {

Event EmulatedQueues::CreateEvent() {
  marks_.emplace_back();
  return static_cast<Event>(marks_.size()) - 1;
}

void EmulatedQueues::Add(Stream stream, Operation operation) {
  queues_[static_cast<size_t>(stream)].push_back({std::move(operation)});
  // Most often a few, at times none for long.
  for (uint64_t steps = random_() % 4; steps > 0; --steps) Step();
}

void EmulatedQueues::Record(Event event, Stream stream) {
  const int64_t number = ++marks_[event].recorded;
  queues_[static_cast<size_t>(stream)].push_back({[this, event, number] { marks_[event].reached = number; }});
}

void EmulatedQueues::WaitFor(Stream stream, Event event) {
  queues_[static_cast<size_t>(stream)].push_back({[] {}, event, marks_[event].recorded});
}

void EmulatedQueues::Wait(Event event) {
  const int64_t number = marks_[event].recorded;
  while (marks_[event].reached < number && Step()) {
  }
}

void EmulatedQueues::Drain() {
  while (Step()) {
  }
}

bool EmulatedQueues::Ready(const std::deque<Entry>& queue) const {
  if (queue.empty()) return false;
  const Entry& next = queue.front();
  return next.event < 0 || marks_[next.event].reached >= next.number;
}

bool EmulatedQueues::Step() {
  const auto first = static_cast<size_t>(random_() % kStreams);
  for (size_t i = 0; i < kStreams; ++i) {
    std::deque<Entry>& queue = queues_[(first + i) % kStreams];
    if (!Ready(queue)) continue;
    const Entry next = std::move(queue.front());
    queue.pop_front();
    next.operation();
    return true;
  }
  return false;
}

}  // namespace kwta::cuda
