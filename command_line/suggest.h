// Guesses what a user who mistyped meant.
#pragma once

#include <string>
#include <vector>

namespace kwta::command_line {

// Returns the first candidate with the fewest letters of difference from `word`; swapped neighbours count as one
// letter. Empty if no candidate is near.
std::string Nearest(const std::string& word, const std::vector<std::string>& candidates);

// Returns "; did you mean 'status'?", or nothing if no candidate is near.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace kwta::command_line
