#include "core/base/cpu.h"

#include <cpuid.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

namespace kwta {
namespace {

int AffinityProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

// The quota of control groups version 2, rounded up; 0 if there is none.
int QuotaProcessors() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  char* end = nullptr;
  const double microseconds = std::strtod(quota.c_str(), &end);
  if (end == quota.c_str() || microseconds <= 0) return 0;
  return static_cast<int>(std::ceil(microseconds / period));
}

}  // namespace

int AvailableProcessors() {
  const int affinity = AffinityProcessors();
  const int quota = QuotaProcessors();
  return quota > 0 ? std::min(affinity, quota) : affinity;
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
