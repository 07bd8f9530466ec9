// How much processor time control groups leave to this process.
#pragma once

#include <optional>
#include <string>

namespace kwta {

// Processors, such as 0.5, by the tightest quota on the path from this process's control groups up to the root: of
// version 2 (cpu.max) and of version 1 (cpu.cfs_quota_us), also where both are mounted. nullopt if there is none.
// `root` stands for the root of the file system.
std::optional<double> CpuQuota(const std::string& root = "");

}  // namespace kwta
