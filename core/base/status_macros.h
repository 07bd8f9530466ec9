// Early return on absl::Status errors.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expression` from the enclosing function unless it is OK.
#define KWTA_RETURN_IF_ERROR(expression)         \
  do {                                           \
    ::absl::Status kwta_status_ = (expression);  \
    if (!kwta_status_.ok()) return kwta_status_; \
  } while (false)

#define KWTA_MACRO_CONCAT_INNER(a, b) a##b
#define KWTA_MACRO_CONCAT(a, b) KWTA_MACRO_CONCAT_INNER(a, b)

// Assigns the value of the StatusOr `expression` to `target` (which may be a declaration), or returns its status.
#define KWTA_ASSIGN_OR_RETURN(target, expression) \
  KWTA_ASSIGN_OR_RETURN_IMPL(KWTA_MACRO_CONCAT(kwta_result_, __LINE__), target, expression)

#define KWTA_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                  \
  if (!result.ok()) return std::move(result).status();         \
  target = std::move(result).value()
