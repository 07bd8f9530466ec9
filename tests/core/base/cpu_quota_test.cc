#include "core/base/cpu_quota.h"

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace kwta {
namespace {

constexpr char kVersion2[] = "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kVersion1[] =
    "31 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

// A file system with control groups.
class CpuQuotaTest : public testing::Test {
 protected:
  void Mounts(const std::string& lines) const {
    root_.Write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda rw\n" + lines);
  }
  void Group(const std::string& lines) const { root_.Write("proc/self/cgroup", lines); }
  void Quota2(const std::string& group, const std::string& text) const {
    root_.Write("sys/fs/cgroup" + group + "/cpu.max", text + "\n");
  }
  void Quota1(const std::string& group, const std::string& quota, const std::string& period = "100000") const {
    root_.Write("sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_quota_us", quota + "\n");
    root_.Write("sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_period_us", period + "\n");
  }
  std::optional<double> Quota() const { return CpuQuota(root_.path()); }
  const TemporaryDirectory root_;
};

TEST_F(CpuQuotaTest, ThereIsNoneWithoutControlGroups) {
  EXPECT_EQ(Quota(), std::nullopt);
  Mounts("");
  Group("0::/\n");
  EXPECT_EQ(Quota(), std::nullopt);
}

TEST_F(CpuQuotaTest, OfVersion2IsTheTightestOnThePath) {
  Mounts(kVersion2);
  Group("0::/system.slice/kwta.service\n");
  Quota2("/system.slice/kwta.service", "max 100000");
  EXPECT_EQ(Quota(), std::nullopt);
  Quota2("/system.slice", "300000 100000");
  EXPECT_EQ(Quota(), 3);
  Quota2("/system.slice/kwta.service", "75000 50000");
  EXPECT_EQ(Quota(), 1.5);
  Quota2("", "50000 100000");  // as in a container, whose own group is the root that it sees
  EXPECT_EQ(Quota(), 0.5);
  Quota2("/other.slice", "1000 100000");
  EXPECT_EQ(Quota(), 0.5);
}

TEST_F(CpuQuotaTest, OfVersion1IsTheTightestOnThePath) {
  Mounts(kVersion1);
  Group("5:memory:/elsewhere\n4:cpu,cpuacct:/docker/abc\n0::/\n");
  Quota1("/docker/abc", "-1");
  EXPECT_EQ(Quota(), std::nullopt);
  Quota1("/docker/abc", "200000");
  EXPECT_EQ(Quota(), 2);
  Quota1("/docker", "25000", "50000");
  EXPECT_EQ(Quota(), 0.5);
}

TEST_F(CpuQuotaTest, OfBothVersionsIsTheTighter) {
  Mounts(std::string(kVersion2) + kVersion1);
  Group("4:cpuacct,cpu:/a\n0::/b\n");
  Quota1("/a", "400000");
  Quota2("/b", "300000 100000");
  EXPECT_EQ(Quota(), 3);
  Quota1("/a", "100000");
  EXPECT_EQ(Quota(), 1);
}

TEST_F(CpuQuotaTest, OfAContainerIsWhereItsGroupIsMounted) {
  // Without a name space of control groups the path begins above what the container sees.
  Mounts("32 30 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n");
  Group("4:cpu,cpuacct:/docker/abc/inner\n");
  Quota1("", "200000");
  EXPECT_EQ(Quota(), 2);
  Quota1("/inner", "100000");
  EXPECT_EQ(Quota(), 1);
  // Another group, or one above the root: what is mounted is all that can be seen.
  for (const char* group : {"/docker/abcdef", "/docker", "/../other"}) {
    Group(absl::StrCat("4:cpu,cpuacct:", group, "\n"));
    EXPECT_EQ(Quota(), 2) << group;
  }
}

TEST_F(CpuQuotaTest, PassesOverWhatItCannotRead) {
  Mounts(kVersion2 + std::string("nonsense\n1 2 3 - cgroup2\n"));
  Group("nonsense\n0::/a\n");
  for (const char* text : {"", "max", "x y", "1000", "0 100000", "1000 0", "-5 100"}) {
    Quota2("/a", text);
    EXPECT_EQ(Quota(), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace kwta
