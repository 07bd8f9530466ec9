// What somebody who mistyped may have meant.
#pragma once

#include <string>
#include <vector>

namespace kwta::client::cli {

// The candidate that is few letters away from `word`, swapped neighbours counting as one; the first of several; empty
// if none is near.
std::string Nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace kwta::client::cli
