#include "core/backends/onednn/support/dnnl_gemm.h"

#include <pthread.h>
#include <sys/time.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "gtest/gtest.h"

namespace kwta::onednn::support::dnnl_gemm_test {
namespace {

// What the handler sees.
volatile uintptr_t stack_begin, stack_end;
volatile sig_atomic_t signals, frames_outside;

extern "C" void LookWhereTheFrameIs(int) {
  const auto address = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  signals = signals + 1;
  if (address < stack_begin || address >= stack_end) frames_outside = frames_outside + 1;
}

// Signals arrive all the time while products are computed.
TEST(DnnlGemmTest, NoSignalHandlerRunsInTheLibrary) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
  void* stack = nullptr;
  size_t size = 0;
  ASSERT_EQ(pthread_attr_getstack(&attributes, &stack, &size), 0);
  pthread_attr_destroy(&attributes);
  stack_begin = reinterpret_cast<uintptr_t>(stack);
  stack_end = stack_begin + size;
  signals = frames_outside = 0;

  struct sigaction action = {}, before = {};
  action.sa_handler = LookWhereTheFrameIs;
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
  const itimerval often = {{0, 100}, {0, 100}}, never = {};
  const absl::Cleanup restore = [&] {
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
  };
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);

  // The library takes other kernels for other shapes and operands that are transposed.
  constexpr int64_t kM = 50, kN = 1000, kK = 784;
  const std::vector<float> a(kM * kK, 1), b(kK * kN, 1);
  std::vector<float> c(kM * kN);
  for (int product = 0; product < 200 || signals < 500; ++product) {
    ASSERT_LT(product, 1'000'000) << "signals do not arrive";
    DnnlGemmArgs args;
    args.transpose_a = product & 1;
    args.transpose_b = product & 2;
    args.m = kM - product % 7;
    args.n = kN;
    args.k = kK;
    args.a = a.data();
    args.lda = args.transpose_a ? args.m : args.k;
    args.b = b.data();
    args.ldb = args.transpose_b ? args.k : args.n;
    args.c = c.data();
    args.ldc = args.n;
    std::fill(c.begin(), c.end(), 0.0f);
    ASSERT_TRUE(DnnlGemm(args).ok());
    ASSERT_EQ(std::count(c.begin(), c.begin() + args.m * kN, static_cast<float>(kK)), args.m * kN);
  }
  EXPECT_EQ(frames_outside, 0) << "frames of " << signals << ", written where the library keeps its numbers";
}

}  // namespace
}  // namespace kwta::onednn::support::dnnl_gemm_test
