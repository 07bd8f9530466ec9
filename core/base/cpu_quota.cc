#include "core/base/cpu_quota.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace kwta {
namespace {

// Where a control group hierarchy that may hold quotas is mounted.
struct Hierarchy {
  int version;
  std::string top;    // the group at the root of the mount
  std::string mount;  // the folder it is mounted on
};

std::vector<Hierarchy> Hierarchies(const std::string& root) {
  std::vector<Hierarchy> hierarchies;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    // "ID PARENT MAJOR:MINOR TOP MOUNT OPTIONS [FIELD ...] - TYPE SOURCE SUPER_OPTIONS"
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<std::string> place = absl::StrSplit(halves[0], ' ');
    const std::vector<std::string> kind = absl::StrSplit(halves[1], ' ');
    if (place.size() < 6 || kind.size() < 3) continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(kind[2], ',');
    if (kind[0] == "cgroup2") {
      hierarchies.push_back({2, place[3], place[4]});
    } else if (kind[0] == "cgroup" && absl::c_linear_search(controllers, "cpu")) {
      hierarchies.push_back({1, place[3], place[4]});
    }
  }
  return hierarchies;
}

// Returns this process's group in the version 2 hierarchy, or in the version 1 hierarchy of the cpu controller.
std::optional<std::string> OwnGroup(const std::string& root, int version) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // "NUMBER:CONTROLLER,...:PATH"; version 2 is "0::PATH".
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    const bool found = version == 2 ? fields[0] == "0" && fields[1].empty() : absl::c_linear_search(controllers, "cpu");
    if (found) return fields[2];
  }
  return std::nullopt;
}

// Returns the quota that a group's own folder sets.
std::optional<double> QuotaOf(const std::string& folder, int version) {
  std::string quota, period;
  if (version == 2) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  double part = 0, whole = 0;
  // "max" in version 2 and -1 in version 1 mean no quota.
  if (!absl::SimpleAtod(quota, &part) || !absl::SimpleAtod(period, &whole) || !(part > 0) || !(whole > 0)) {
    return std::nullopt;
  }
  return part / whole;
}

}  // namespace

std::optional<double> CpuQuota(const std::string& root) {
  std::optional<double> tightest;
  for (const Hierarchy& hierarchy : Hierarchies(root)) {
    const std::optional<std::string> group = OwnGroup(root, hierarchy.version);
    if (!group) continue;
    // In a container without its own name space, the group's path starts outside the mount.
    absl::string_view below = *group;
    if (hierarchy.top != "/" && !absl::ConsumePrefix(&below, hierarchy.top)) below = "";
    // The group lies beside the mount or above the root of its name space, so only the mount is visible.
    if (!absl::StartsWith(below, "/") || absl::StrContains(below, "..")) below = "";
    std::string path(absl::StripSuffix(below, "/"));
    while (true) {
      const std::optional<double> quota = QuotaOf(absl::StrCat(root, hierarchy.mount, path), hierarchy.version);
      if (quota) tightest = std::min(*quota, tightest.value_or(*quota));
      if (path.empty()) break;
      path.resize(path.rfind('/'));
    }
  }
  return tightest;
}

}  // namespace kwta
