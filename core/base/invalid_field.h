// The one wording for a hyperparameter outside its range.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kwta {

// Returns INVALID_ARGUMENT: "<field> is <value>; expected <expected>".
template <typename T>
absl::Status InvalidField(absl::string_view field, const T& value, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, "; expected ", expected));
}

}  // namespace kwta
