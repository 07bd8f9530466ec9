// What the conformance suite's files share: every backend beside the reference, on arrays that tests never touch
// directly.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "core/backends/backend.h"
#include "core/backends/backend_registry.h"
#include "core/backends/host_backend.h"
#include "core/base/rng.h"
#include "gtest/gtest.h"
#include "tests/core/backends/distant_backend.h"

namespace kwta {

// A backend and what to create it with: settings as in BackendOptions.
struct BackendCase {
  std::string name;
  int threads;
  std::map<std::string, std::string> settings = {};
};

inline void PrintTo(const BackendCase& value, std::ostream* out) {
  *out << value.name << ", " << value.threads << " threads";
}

// The CUDA backend's kernels on an emulated device, with each way to find candidates in turn. The environment variable
// KWTA_EMULATION_SEEDS says in how many orders the threads run: one, if it is not set.
inline std::vector<BackendCase> EmulatedCases() {
  constexpr const char* kFilters[] = {"auto", "bf16", "none"};
  const char* const seeds = std::getenv("KWTA_EMULATION_SEEDS");
  std::vector<BackendCase> cases;
  for (int seed = 1; seed <= (seeds == nullptr ? 1 : std::atoi(seeds)); ++seed) {
    cases.push_back({"emulated", 1, {{"filter", kFilters[(seed - 1) % 3]}, {"seed", std::to_string(seed)}}});
  }
  return cases;
}

// Those of the registry, one whose memory the host cannot look into, and the emulated ones.
inline std::vector<BackendCase> AllBackendCases() {
  std::vector<BackendCase> cases;
  for (const std::string& name : RunnableBackendNames()) {
    for (int threads : {1, 2, 3}) cases.push_back({name, threads});
  }
  cases.push_back({"distant", 1});
  for (BackendCase& emulated : EmulatedCases()) cases.push_back(std::move(emulated));
  return cases;
}

inline std::string CaseName(const testing::TestParamInfo<BackendCase>& info) {
  std::string name = info.param.name + "_" + std::to_string(info.param.threads) + "_threads";
  for (const auto& [setting, value] : info.param.settings) name += "_" + value;
  return name;
}

// An array in a backend's memory, zeroed at first.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(Backend& backend, size_t elements) : backend_(backend), elements_(elements) {
    absl::StatusOr<Buffer> buffer = AllocateZeroed(backend, elements * sizeof(T));
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    if (buffer.ok()) buffer_ = *std::move(buffer);
  }
  DeviceArray(Backend& backend, const std::vector<T>& values) : DeviceArray(backend, values.size()) { Write(values); }

  void Write(const std::vector<T>& values) {
    EXPECT_EQ(backend_.CopyFromHost(values.data(), data(), values.size() * sizeof(T)), absl::OkStatus());
  }
  std::vector<T> Read() const {
    std::vector<T> values(elements_);
    EXPECT_EQ(backend_.CopyToHost(buffer_.as<T>(), values.data(), elements_ * sizeof(T)), absl::OkStatus());
    return values;
  }
  T* data() { return buffer_.as<T>(); }

 private:
  Backend& backend_;
  size_t elements_;
  Buffer buffer_;
};

using Floats = DeviceArray<float>;
using Ints = DeviceArray<int32_t>;
using Doubles = DeviceArray<double>;

inline std::shared_ptr<Backend> MakeBackend(const BackendCase& backend_case) {
  absl::StatusOr<std::shared_ptr<Backend>> backend =
      CreateAnyBackend(backend_case.name, {backend_case.threads, backend_case.settings});
  EXPECT_TRUE(backend.ok()) << backend.status();
  return backend.ok() ? *backend : nullptr;
}
inline std::shared_ptr<Backend> MakeBackend(const std::string& name, int threads) {
  return MakeBackend(BackendCase{name, threads});
}

// Every test of the suite runs on each backend and number of threads.
class Conformance : public testing::TestWithParam<BackendCase> {
 protected:
  bool emulated() const { return IsEmulated(GetParam().name); }

  std::shared_ptr<Backend> backend_ = MakeBackend(GetParam());
  std::shared_ptr<Backend> reference_ = MakeBackend("reference", 1);
};

// Every backend that computes on the processor, with the operations that only those have.
inline std::shared_ptr<HostBackend> MakeHostBackend(const BackendCase& backend_case) {
  return std::dynamic_pointer_cast<HostBackend>(MakeBackend(backend_case));
}
inline std::vector<BackendCase> HostBackendCases() {
  std::vector<BackendCase> cases;
  for (const BackendCase& each : AllBackendCases()) {
    if (MakeHostBackend(each) != nullptr) cases.push_back(each);
  }
  return cases;
}
class HostConformance : public testing::TestWithParam<BackendCase> {
 protected:
  std::shared_ptr<HostBackend> backend_ = MakeHostBackend(GetParam());
  std::shared_ptr<HostBackend> reference_ = MakeHostBackend({"reference", 1});
};

inline std::vector<float> Gaussians(int64_t count, uint64_t seed, double sigma = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(sigma * rng.Gaussian());
  return values;
}

// The bits of each value, so that +0 and -0, or two NaN, are told apart or found equal as they are stored.
inline std::vector<uint32_t> Bits(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

// Codes of a batch, [rows, k] each.
struct Codes {
  std::vector<int32_t> indices;
  std::vector<float> values;
};

// `rows` rows of k different units below `units`, ascending, with Gaussian values.
inline Codes RandomCodes(int64_t rows, int64_t k, int64_t units, uint64_t seed) {
  Rng rng(seed);
  Codes codes;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t left = k;
    for (int64_t unit = 0; unit < units && left > 0; ++unit) {
      if (static_cast<int64_t>(rng.UniformBelow(units - unit)) >= left) continue;
      codes.indices.push_back(static_cast<int32_t>(unit));
      codes.values.push_back(static_cast<float>(rng.Gaussian()));
      --left;
    }
  }
  return codes;
}

// Every element of `actual` within `absolute` + `relative` * |expected|.
inline void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected, double absolute,
                        double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], absolute + relative * std::abs(static_cast<double>(expected[i]))) << "at " << i;
  }
}

}  // namespace kwta
