// A thread of a kernel on a CUDA device. Only nvcc compiles this.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/backends/cuda/kernels/global.h"

namespace kwta::cuda {

// Shared memory. The caller keeps i within the count it asked for.
template <typename T>
class DeviceShared {
 public:
  __device__ explicit DeviceShared(T* data) : data_(data) {}
  __device__ __forceinline__ T Get(int64_t i) const { return data_[i]; }
  __device__ __forceinline__ void Set(int64_t i, T value) { data_[i] = value; }
  __device__ __forceinline__ T Add(int64_t i, T value) { return atomicAdd(data_ + i, value); }
  __device__ __forceinline__ const T* Range(int64_t first, int64_t) const { return data_ + first; }

 private:
  T* data_;
};

extern __shared__ __align__(16) unsigned char kwta_shared_memory[];

class DeviceThread {
 public:
  __device__ __forceinline__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ __forceinline__ int threads() const { return static_cast<int>(blockDim.x); }
  __device__ __forceinline__ int lane() const { return static_cast<int>(threadIdx.x) % kWarp; }
  __device__ __forceinline__ int warp() const { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ __forceinline__ int64_t block() const { return blockIdx.x; }

  template <typename T>
  __device__ __forceinline__ std::remove_const_t<T> Load(const Global<T>& array, int64_t i) const {
    return array.data[i];
  }
  template <typename T>
  __device__ __forceinline__ void Store(const Global<T>& array, int64_t i, std::remove_const_t<T> value) const {
    array.data[i] = value;
  }
  template <typename T>
  __device__ __forceinline__ T AtomicAdd(const Global<T>& array, int64_t i, std::remove_const_t<T> value) const {
    return atomicAdd(array.data + i, value);
  }
  template <typename T>
  __device__ __forceinline__ const T* View(const Global<T>& array, int64_t first, int64_t) const {
    return array.data + first;
  }

  template <typename Index, typename End>
  __device__ __forceinline__ bool Below(Index i, End end) const {
    return i < end;
  }

  template <typename T>
  __device__ __forceinline__ DeviceShared<T> Shared(int64_t count) {
    T* const data = reinterpret_cast<T*>(kwta_shared_memory + shared_used_);
    shared_used_ += (count * sizeof(T) + 15) / 16 * 16;
    return DeviceShared<T>(data);
  }

  __device__ __forceinline__ void Barrier() const { __syncthreads(); }
  __device__ __forceinline__ bool AnyBarrier(bool flag) const { return __syncthreads_or(flag) != 0; }
  __device__ __forceinline__ void WarpBarrier() const { __syncwarp(); }
  template <typename T>
  __device__ __forceinline__ T ShuffleXor(T value, int mask) const {
    return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
  }
  template <typename T>
  __device__ __forceinline__ T ShuffleUp(T value, int lanes) const {
    return __shfl_up_sync(0xFFFFFFFFu, value, lanes);
  }
  __device__ __forceinline__ uint32_t Ballot(bool flag) const { return __ballot_sync(0xFFFFFFFFu, flag); }

  static __device__ __forceinline__ float Product(float a, float b) { return __fmul_rn(a, b); }
  static __device__ __forceinline__ float Sum(float a, float b) { return __fadd_rn(a, b); }
  static __device__ __forceinline__ int Ones(uint32_t bits) { return __popc(bits); }

 private:
  int64_t shared_used_ = 0;
};

}  // namespace kwta::cuda
