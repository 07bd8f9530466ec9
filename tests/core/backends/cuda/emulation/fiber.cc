#include "tests/core/backends/cuda/emulation/fiber.h"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define KWTA_FIBER_ASAN
#elif defined(__SANITIZE_THREAD__)
#define KWTA_FIBER_TSAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KWTA_FIBER_ASAN
#elif __has_feature(thread_sanitizer)
#define KWTA_FIBER_TSAN
#endif
#endif
#ifdef KWTA_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef KWTA_FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace kwta::cuda {

namespace context = boost::context::detail;

// Sanitizers make frames larger.
constexpr size_t kStackBytes = size_t{128} << 10;

struct Fiber::State {
  Body body = nullptr;
  void* argument = nullptr;
  char* stack = nullptr;
  context::fcontext_t inside = nullptr, outside = nullptr;
  const void* outer_stack = nullptr;  // the sanitizer's view of whoever resumed
  size_t outer_bytes = 0;
  void* inside_fake = nullptr;
  void* inside_tsan = nullptr;
  void* outside_tsan = nullptr;

  static void Enter(context::transfer_t from) {
    State& state = *static_cast<State*>(from.data);
    state.outside = from.fctx;
    state.Arrived(nullptr);
    for (;;) {
      state.body(state.argument);
      state.Leave();
    }
  }

  // In the fiber, after a switch to it.
  void Arrived([[maybe_unused]] void* fake) {
#ifdef KWTA_FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake, &outer_stack, &outer_bytes);
#endif
  }
  // In the fiber: to whoever resumed it, and back.
  void Leave() {
#ifdef KWTA_FIBER_ASAN
    __sanitizer_start_switch_fiber(&inside_fake, outer_stack, outer_bytes);
#endif
#ifdef KWTA_FIBER_TSAN
    __tsan_switch_to_fiber(outside_tsan, 0);
#endif
    const context::transfer_t back = context::jump_fcontext(outside, this);
    outside = back.fctx;
    Arrived(inside_fake);
  }
};

Fiber::Fiber(Body body, void* argument) : state_(std::make_unique<State>()) {
  state_->body = body;
  state_->argument = argument;
  // No pages are used until they are touched.
  void* const stack =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) std::abort();
  state_->stack = static_cast<char*>(stack);
#ifdef KWTA_FIBER_TSAN
  state_->inside_tsan = __tsan_create_fiber(0);
#endif
  Restart();
}

Fiber::~Fiber() {
#ifdef KWTA_FIBER_ASAN
  __asan_unpoison_memory_region(state_->stack, kStackBytes);
#endif
#ifdef KWTA_FIBER_TSAN
  __tsan_destroy_fiber(state_->inside_tsan);
#endif
  munmap(state_->stack, kStackBytes);
}

void Fiber::Restart() {
#ifdef KWTA_FIBER_ASAN
  __asan_unpoison_memory_region(state_->stack, kStackBytes);
#endif
  state_->inside = context::make_fcontext(state_->stack + kStackBytes, kStackBytes, State::Enter);
}

void Fiber::Resume() {
#ifdef KWTA_FIBER_ASAN
  void* outside_fake = nullptr;
  __sanitizer_start_switch_fiber(&outside_fake, state_->stack, kStackBytes);
#endif
#ifdef KWTA_FIBER_TSAN
  state_->outside_tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(state_->inside_tsan, 0);
#endif
  state_->inside = context::jump_fcontext(state_->inside, state_.get()).fctx;
#ifdef KWTA_FIBER_ASAN
  __sanitizer_finish_switch_fiber(outside_fake, nullptr, nullptr);
#endif
}

void Fiber::Suspend() { state_->Leave(); }

}  // namespace kwta::cuda
