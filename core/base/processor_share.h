// How much of the processors' time that this process wants it gets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace kwta {

// Watches this process's threads. Not thread-safe.
class ProcessorShare {
 public:
  // Returns time run / (time run + time spent waiting for a processor) of all threads since the last call, or since
  // they were made: 1 if no thread ever waited. Returns nothing if no thread wanted a processor, or if the system does
  // not tell. Waiting for anything else, such as a file, does not count.
  std::optional<double> Take();

 private:
  struct Times {
    uint64_t run = 0, waited = 0;  // nanoseconds
  };
  std::map<int, Times> seen_;  // by thread
};

}  // namespace kwta
