// How much processor time control groups leave to this process.
#pragma once

#include <optional>
#include <string>

namespace kwta {

// Returns the tightest quota, in processors (such as 0.5), on the path from this process's control groups up to the
// root. Reads version 2 (cpu.max) and version 1 (cpu.cfs_quota_us), also if both are mounted. Returns nullopt if there
// is no quota. `root` stands for the root of the file system.
std::optional<double> CpuQuota(const std::string& root = "");

}  // namespace kwta
