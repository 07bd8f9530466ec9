// Specs that resolving refuses.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"

namespace kwta {

// Expects `resolve` to refuse the spec that `set` makes, with INVALID_ARGUMENT and `message`.
template <typename Spec>
void ExpectInvalid(absl::Status (*resolve)(Spec*), void (*set)(Spec*), const std::string& message) {
  Spec spec;
  set(&spec);
  const absl::Status status = resolve(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << message;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(message));
}

}  // namespace kwta
