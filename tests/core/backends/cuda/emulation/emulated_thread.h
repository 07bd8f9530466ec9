// A thread of a kernel on the emulated device. It has what core/backends/cuda/kernels/global.h says a thread has, and
// checks what it is asked.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "core/backends/cuda/kernels/global.h"
#include "tests/core/backends/cuda/emulation/block.h"

namespace kwta::cuda {

// Read-only elements. A read beyond them fails the launch and gives zero.
template <typename T>
class CheckedView {
 public:
  CheckedView(const T* data, int64_t count, EmulatedBlock* block, bool global)
      : data_(data), count_(count), block_(block), global_(global) {}
  T operator[](int64_t i) const {
    if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(count_)) {
      block_->Fail(absl::StrCat("a kernel reads element ", i, " of a view of ", count_));
      return T();
    }
    if (global_) block_->NoteGlobal(data_ + i, Access::kRead);
    return data_[i];
  }

 private:
  const T* data_;
  int64_t count_;
  EmulatedBlock* block_;
  bool global_;  // else what it shows has been checked
};

template <typename T>
class EmulatedShared {
 public:
  EmulatedShared(EmulatedBlock* block, int thread, int64_t offset, int64_t count)
      : block_(block), thread_(thread), offset_(offset), count_(count) {}

  T Get(int64_t i) const {
    T value{};
    if (Check(i, 1, false)) std::memcpy(&value, At(i), sizeof(T));
    return value;
  }
  void Set(int64_t i, T value) {
    if (Check(i, 1, true)) std::memcpy(At(i), &value, sizeof(T));
  }
  T Add(int64_t i, T value) {
    T before{};
    if (!InCount(i, 1) || !block_->CheckSharedAtomic(thread_, offset_ + i * static_cast<int64_t>(sizeof(T)))) return 0;
    std::memcpy(&before, At(i), sizeof(T));
    const T after = before + value;
    std::memcpy(At(i), &after, sizeof(T));
    return before;
  }
  CheckedView<T> Range(int64_t first, int64_t count) const {
    const bool fine = Check(first, count, false);
    return {reinterpret_cast<const T*>(At(first)), fine ? count : 0, block_, false};
  }

 private:
  char* At(int64_t i) const { return block_->shared() + offset_ + i * static_cast<int64_t>(sizeof(T)); }
  bool InCount(int64_t i, int64_t count) const {
    if (i >= 0 && i + count <= count_) return true;
    block_->Fail(
        absl::StrCat("thread ", thread_, " touches element ", i + count - 1, " of a shared array of ", count_));
    return false;
  }
  bool Check(int64_t i, int64_t count, bool write) const {
    constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
    return InCount(i, count) && block_->CheckShared(thread_, offset_ + i * kBytes, count * kBytes, write);
  }

  EmulatedBlock* block_;
  int thread_;
  int64_t offset_, count_;
};

// Sums and products of exact kernels that this thread of the host has emulated.
inline thread_local int64_t exact_operations = 0;

class EmulatedThread {
 public:
  EmulatedThread(EmulatedBlock* emulated, int thread, int threads, int64_t block)
      : emulated_(emulated), thread_(thread), threads_(threads), block_(block) {}

  int thread() const { return thread_; }
  int threads() const { return threads_; }
  int lane() const { return thread_ % kWarp; }
  int warp() const { return thread_ / kWarp; }
  int64_t block() const { return block_; }

  template <typename T>
  std::remove_const_t<T> Load(const Global<T>& array, int64_t i) {
    if (!Check(array, i, 1, "reads")) return {};
    Count(array.data + i, sizeof(T), &emulated_->counts.read_bytes);
    emulated_->NoteGlobal(array.data + i, Access::kRead);
    return array.data[i];
  }
  template <typename T>
  void Store(const Global<T>& array, int64_t i, std::remove_const_t<T> value) {
    if (!Check(array, i, 1, "writes")) return;
    Count(array.data + i, sizeof(T), &emulated_->counts.written_bytes);
    emulated_->NoteGlobal(array.data + i, Access::kWrite);
    array.data[i] = value;
  }
  template <typename T>
  T AtomicAdd(const Global<T>& array, int64_t i, std::remove_const_t<T> value) {
    if (!Check(array, i, 1, "adds to")) return {};
    ++emulated_->counts.atomics;
    Count(array.data + i, sizeof(T), &emulated_->counts.written_bytes);
    emulated_->NoteGlobal(array.data + i, Access::kAtomic);
    const T before = array.data[i];
    array.data[i] += value;
    return before;
  }
  // All of it counts as read.
  template <typename T>
  CheckedView<std::remove_const_t<T>> View(const Global<T>& array, int64_t first, int64_t count) {
    if (count == 0 || !Check(array, first, count, "views")) return {nullptr, 0, emulated_, true};
    Count(array.data + first, count * static_cast<int64_t>(sizeof(T)), &emulated_->counts.read_bytes);
    return {array.data + first, count, emulated_, true};
  }

  template <typename T>
  EmulatedShared<T> Shared(int64_t count) {
    const int64_t offset = shared_used_;
    shared_used_ += (count * static_cast<int64_t>(sizeof(T)) + 15) / 16 * 16;
    return {emulated_, thread_, offset, count};
  }

  bool Below(int64_t i, int64_t end, int line = __builtin_LINE(), const char* file = __builtin_FILE()) const {
    return i < end + (emulated_->mutates() ? emulated_->EndChange(file, line, end) : 0);
  }

  void Barrier(int line = __builtin_LINE(), const char* file = __builtin_FILE()) {
    if (!emulated_->mutates() || !emulated_->RemovesBarrier(file, line)) emulated_->Barrier(thread_);
  }
  bool AnyBarrier(bool flag, int line = __builtin_LINE(), const char* file = __builtin_FILE()) {
    if (emulated_->mutates() && emulated_->RemovesBarrier(file, line)) return flag;
    return emulated_->AnyBarrier(thread_, flag);
  }
  void WarpBarrier(int line = __builtin_LINE(), const char* file = __builtin_FILE()) {
    if (!emulated_->mutates() || !emulated_->RemovesBarrier(file, line)) emulated_->Exchange(thread_, 0, true);
  }
  template <typename T>
  T ShuffleXor(T value, int mask) {
    return FromBits<T>(emulated_->Exchange(thread_, ToBits(value))[lane() ^ mask]);
  }
  template <typename T>
  T ShuffleUp(T value, int lanes) {
    const uint64_t* const values = emulated_->Exchange(thread_, ToBits(value));
    return FromBits<T>(values[lane() < lanes ? lane() : lane() - lanes]);
  }
  uint32_t Ballot(bool flag) {
    const uint64_t* const values = emulated_->Exchange(thread_, flag);
    uint32_t raised = 0;
    for (int l = 0; l < kWarp; ++l) raised |= static_cast<uint32_t>(values[l]) << l;
    return raised;
  }

  // Compiled with -ffp-contract=off.
  static float Product(float a, float b) {
    ++exact_operations;
    return a * b;
  }
  static float Sum(float a, float b) {
    ++exact_operations;
    return a + b;
  }
  static int Ones(uint32_t bits) { return __builtin_popcount(bits); }

 private:
  template <typename T>
  static uint64_t ToBits(T value) {
    static_assert(sizeof(T) <= 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  template <typename T>
  static T FromBits(uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
  template <typename T>
  bool Check(const Global<T>& array, int64_t first, int64_t count, const char* what) {
    if (first >= 0 && count >= 0 && first + count <= array.size) return true;
    emulated_->Fail(absl::StrCat("thread ", thread_, " of block ", block_, " ", what, " elements ", first, " to ",
                                 first + count, " of a global array of ", array.size));
    return false;
  }
  void Count(const void* address, int64_t bytes, int64_t* counter) {
    *counter += bytes;
    if (emulated_->counting()) emulated_->CountSectors(address, bytes);
  }

  EmulatedBlock* const emulated_;
  const int thread_, threads_;
  const int64_t block_;
  int64_t shared_used_ = 0;
};

}  // namespace kwta::cuda
