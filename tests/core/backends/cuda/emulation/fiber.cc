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
// Between the tops of two stacks, besides whole stacks: an odd number of a cache's lines.
constexpr size_t kStagger = 9 * 64;

struct Fiber::State {
  Body body = nullptr;
  void* argument = nullptr;
  char* memory = nullptr;  // none: the stack is the caller's
  size_t bytes = 0;        // of it that are the stack
  context::fcontext_t at = nullptr;
  // What the sanitizers know of it.
  const void* bottom = nullptr;
  size_t known_bytes = 0;
  void* fake = nullptr;
  void* tsan = nullptr;

  static void Enter(context::transfer_t from) {
    State& own = *static_cast<State**>(from.data)[1];
    own.Arrived(from, nullptr);
    for (;;) {
      Fiber* const next = own.body(own.argument);
      if (next->state_.get() != &own) own.Switch(*next->state_);
    }
  }

  void Switch(State& next) {
#ifdef KWTA_FIBER_ASAN
    __sanitizer_start_switch_fiber(&fake, next.bottom, next.known_bytes);
#endif
#ifdef KWTA_FIBER_TSAN
    tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(next.tsan, 0);
#endif
    State* pair[2] = {this, &next};
    Arrived(context::jump_fcontext(next.at, pair), fake);
  }

  // Notes where the fiber that switched to this one goes on.
  void Arrived(context::transfer_t from, [[maybe_unused]] void* own_fake) {
    State& before = *static_cast<State**>(from.data)[0];
    before.at = from.fctx;
#ifdef KWTA_FIBER_ASAN
    __sanitizer_finish_switch_fiber(own_fake, &before.bottom, &before.known_bytes);
#endif
  }
};

Fiber::Fiber() : state_(std::make_unique<State>()) {}

Fiber::Fiber(Body body, void* argument, int number) : state_(std::make_unique<State>()) {
  state_->body = body;
  state_->argument = argument;
  void* const memory =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  state_->memory = static_cast<char*>(memory);
  state_->bytes = kStackBytes - static_cast<size_t>(number) % 64 * kStagger;
#ifdef KWTA_FIBER_TSAN
  state_->tsan = __tsan_create_fiber(0);
#endif
  Restart();
}

Fiber::~Fiber() {
  if (state_->memory == nullptr) return;
#ifdef KWTA_FIBER_ASAN
  __asan_unpoison_memory_region(state_->memory, kStackBytes);
#endif
#ifdef KWTA_FIBER_TSAN
  __tsan_destroy_fiber(state_->tsan);
#endif
  munmap(state_->memory, kStackBytes);
}

void Fiber::Restart() {
#ifdef KWTA_FIBER_ASAN
  __asan_unpoison_memory_region(state_->memory, kStackBytes);
#endif
  state_->bottom = state_->memory;
  state_->known_bytes = state_->bytes;
  state_->at = context::make_fcontext(state_->memory + state_->bytes, state_->bytes, State::Enter);
}

void Fiber::SwitchTo(Fiber& next) { state_->Switch(*next.state_); }

}  // namespace kwta::cuda
