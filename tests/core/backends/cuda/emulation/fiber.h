// Stacks to switch between. The sanitizers are told of every switch.
#pragma once

#include <cstddef>
#include <memory>

namespace kwta::cuda {

// A fiber that calls run(argument) again and again: once for every Start. Not thread-safe.
class Fiber {
 public:
  using Body = void (*)(void* argument);

  Fiber(Body body, void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From outside: runs until the body returns or calls Suspend.
  void Resume();
  // From the body: goes back to Resume.
  void Suspend();
  // Gives up what a body has not finished: the next Resume calls it from the start.
  void Restart();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace kwta::cuda
