// What the tests of core/io share: limits of the system, whole files, and checks of statuses.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"
#include "tests/temporary_directory.h"

namespace kwta {

// While it lives, writing a file beyond `bytes` bytes fails, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes);
  ~FileSizeLimit();

 private:
  uint64_t previous_;
};

// While it lives, the process has the rights of a user who is not the owner of every file: of itself if it has no more,
// of nobody if it is root.
class OrdinaryUser {
 public:
  OrdinaryUser();
  ~OrdinaryUser();
  // False if root could not put its rights aside.
  bool active() const { return active_; }

 private:
  bool was_root_;
  bool active_;
};

// Makes the time of a file's last change later than it was, in case a clock has not moved on since; gives `path`.
std::string SetLater(const std::string& path);

std::string ReadAll(const std::string& path);
std::string Gzip(absl::string_view contents);
// `bytes` bytes of `value`, most significant first.
std::string BigEndian(uint64_t value, int bytes);
std::string LittleEndian(uint64_t value, int bytes);

template <typename T>
Tensor MakeTensor(DType dtype, Shape shape, const std::vector<T>& elements) {
  Tensor tensor(dtype, std::move(shape));
  EXPECT_EQ(static_cast<size_t>(tensor.elements()), elements.size());
  for (size_t i = 0; i < elements.size(); ++i) tensor.as<T>()[i] = elements[i];
  return tensor;
}

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// A status, or the status of a StatusOr, of `code` whose message contains `part`.
MATCHER_P2(StatusIs, code, part, absl::StrCat("has code ", absl::StatusCodeToString(code), " and says '", part, "'")) {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code && status.message().find(part) != absl::string_view::npos;
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok();
}

}  // namespace kwta
