#include "core/base/cpu.h"

#include <sched.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>

#include "core/base/cpu_quota.h"

namespace kwta {
namespace {

int AffinityProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

int AvailableProcessors() {
  const int affinity = AffinityProcessors();
  const std::optional<double> quota = CpuQuota();
  return quota ? std::clamp(static_cast<int>(std::ceil(std::min<double>(*quota, affinity))), 1, affinity) : affinity;
}

int ResolveThreads(int requested) { return requested > 0 ? requested : AvailableProcessors(); }

std::vector<std::string> CpuFeatures() {
  std::vector<std::string> features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) features.push_back("avx2");
  if (__builtin_cpu_supports("avx512f")) features.push_back("avx512f");
  if (__builtin_cpu_supports("avx512vnni")) features.push_back("avx512_vnni");
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    if (edx & (1u << 22)) features.push_back("amx_bf16");
    if (edx & (1u << 25)) features.push_back("amx_int8");
  }
#endif
  return features;
}

}  // namespace kwta
