#include "core/simd/instruction_sets.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace kwta::simd {
namespace {

std::vector<InstructionSet> SetsOfProcessor() {
  std::vector<InstructionSet> sets;
#if defined(__x86_64__)
  // Keep these features in step with for_each_instruction_set.inc.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512vnni")) sets.push_back(InstructionSet::kAvx512Vnni);
  if (avx512) sets.push_back(InstructionSet::kAvx512);
  if (avx2) sets.push_back(InstructionSet::kAvx2);
#endif
  sets.push_back(InstructionSet::kPortable);
  return sets;
}

}  // namespace

std::vector<InstructionSet> AvailableInstructionSets() {
  std::vector<InstructionSet> sets = SetsOfProcessor();
  const char* const forced = std::getenv(kForcedInstructionSet);
  if (forced == nullptr) return sets;
  const auto best = std::find_if(sets.begin(), sets.end(), [forced](InstructionSet set) {
    return std::string(forced) == InstructionSetName(set);
  });
  if (best != sets.end()) sets.erase(sets.begin(), best);
  return sets;
}

const char* InstructionSetName(InstructionSet set) {
  switch (set) {
    case InstructionSet::kAvx512Vnni:
      return "vnni";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx2:
      return "avx2";
    default:
      return "portable";
  }
}

}  // namespace kwta::simd
