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

// Where a hierarchy of control groups that may hold quotas is mounted.
struct Hierarchy {
  int version;
  std::string top;    // the group that is mounted
  std::string mount;  // on this folder
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

// The group of this process in the hierarchy of version 2, or in that of version 1 with the cpu controller.
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

// The quota that the folder of a group sets, of its own.
std::optional<double> QuotaOf(const std::string& folder, int version) {
  std::string quota, period;
  if (version == 2) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  double part = 0, whole = 0;
  // No quota is "max" in version 2 and -1 in version 1.
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
    // In a container without a name space of its own the path of the group begins outside of what is mounted.
    absl::string_view below = *group;
    if (hierarchy.top != "/" && !absl::ConsumePrefix(&below, hierarchy.top)) below = "";
    // Beside what is mounted, or above the root of its name space: what is mounted is all that can be seen.
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
