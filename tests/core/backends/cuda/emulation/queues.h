// The queues of an emulated device.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "core/backends/cuda/device.h"

namespace kwta::cuda {

// Does what it is told some time before it must: which queue goes on, and when, a seed draws. So what nobody waits for
// happens too late in some order. Not thread-safe.
class EmulatedQueues {
 public:
  using Operation = std::function<void()>;

  explicit EmulatedQueues(uint64_t seed) : random_(seed) {}

  Event CreateEvent();
  // Then does some of what is queued, or nothing.
  void Add(Stream stream, Operation operation);
  void Record(Event event, Stream stream);
  void WaitFor(Stream stream, Event event);
  // Does what the event marks, and perhaps more.
  void Wait(Event event);
  // Does everything.
  void Drain();

 private:
  struct Entry {
    Operation operation;
    Event event = -1;    // that it waits for, or
    int64_t number = 0;  // the recording of it
  };
  struct Mark {
    int64_t recorded = 0, reached = 0;
  };

  bool Ready(const std::deque<Entry>& queue) const;
  // Does the next operation of a queue that is drawn from those that can go on. False: there is none.
  bool Step();

  std::mt19937_64 random_;
  std::array<std::deque<Entry>, kStreams> queues_;
  std::vector<Mark> marks_;
};

}  // namespace kwta::cuda
