// Stacks to switch between. The sanitizers are told of every switch.
#pragma once

#include <cstddef>
#include <memory>

namespace kwta::cuda {

// A stack that runs body(argument) again and again, or the stack of whoever made it. Not thread-safe.
class Fiber {
 public:
  // Returns the fiber to go on with once a body has ended. It may be its own: then the body runs anew at once.
  using Body = Fiber* (*)(void* argument);

  // The caller's own stack.
  Fiber();
  // A new stack. `number` tells fibers of one block apart: their tops do not share the same lines of a cache.
  Fiber(Body body, void* argument, int number);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Goes on with `next`, until somebody goes on with this one. REQUIRES: this one is running.
  void SwitchTo(Fiber& next);
  // Gives up what a body has not finished: who switches to it next calls it from the start. REQUIRES: it is not
  // running.
  void Restart();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace kwta::cuda
