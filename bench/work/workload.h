// A piece of work whose rate is measured, described by words such as
//   encode data=images units=1000 k=75 batch=256 dtype=u8
// The same words describe the same work to bench/peers, so that both do it on the same inputs and weights.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kwta::bench {

// The words of a description: a kind, then name=value.
class WorkSpec {
 public:
  // Errors: INVALID_ARGUMENT.
  static absl::StatusOr<WorkSpec> Parse(const std::string& words);

  const std::string& kind() const { return kind_; }
  // Returns the value of `name`, or `otherwise` if it is absent.
  std::string Text(const std::string& name, const std::string& otherwise) const;
  // Errors: INVALID_ARGUMENT (absent, or not a positive integer).
  absl::StatusOr<int64_t> Number(const std::string& name) const;
  absl::StatusOr<int64_t> Number(const std::string& name, int64_t otherwise) const;
  // Returns the same words with this value, whether `name` was present or not.
  WorkSpec With(const std::string& name, const std::string& value) const;

 private:
  std::string kind_;
  std::map<std::string, std::string> values_;
};

struct WorkOptions {
  std::string inputs;  // Directory that WriteInputs has filled; it also keeps trained weights.
  int threads = 0;     // 0: every processor.
};

// Work that has been set up. Not thread-safe.
class Workload {
 public:
  virtual ~Workload() = default;
  // Number of rows (images, elements: whatever the rate counts) in one Call.
  virtual int64_t rows() const = 0;
  // Does the work once, on the next batch.
  virtual absl::Status Call() = 0;
};

// Errors: INVALID_ARGUMENT (unknown kind), NOT_FOUND (the inputs lack the data), and those of core.
absl::StatusOr<std::unique_ptr<Workload>> CreateWorkload(const WorkSpec& spec, const WorkOptions& options);

// Factories, one file per kind.
absl::StatusOr<std::unique_ptr<Workload>> CreateEncodeWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateTrainWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateJobWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateStepsWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateSelectWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateProductWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateReadWork(const WorkSpec& spec, const WorkOptions& options);
absl::StatusOr<std::unique_ptr<Workload>> CreateHandoverWork(const WorkSpec& spec, const WorkOptions& options);

}  // namespace kwta::bench
