#include "core/base/aligned_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

namespace kwta {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Array = std::unique_ptr<void, Free>;

TEST(AlignedMemoryTest, ArraysBeginAtACacheLineAndLargeOnesAtALargePage) {
  for (const Pages pages : {Pages::kSmall, Pages::kLarge}) {
    for (const size_t bytes : {size_t{1}, size_t{100}, kLargePageBytes - 1, kLargePageBytes, 3 * kLargePageBytes + 1}) {
      const Array array(AllocateArray(bytes, pages));
      ASSERT_NE(array, nullptr);
      const size_t alignment = pages == Pages::kLarge && bytes >= kLargePageBytes ? kLargePageBytes : kArrayAlignment;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(array.get()) % alignment, 0u) << bytes;
      std::memset(array.get(), 1, bytes);
    }
  }
}

// The sanitizers end a program that asks for so much.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(AlignedMemoryTest, ReturnsNullIfThereIsNotSoMuch) {
  for (const Pages pages : {Pages::kSmall, Pages::kLarge}) {
    EXPECT_EQ(Array(AllocateArray(std::numeric_limits<size_t>::max() / 4, pages)), nullptr);
  }
}
#endif

}  // namespace
}  // namespace kwta
