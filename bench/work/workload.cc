#include "bench/work/workload.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kwta::bench {

absl::StatusOr<WorkSpec> WorkSpec::Parse(const std::string& words) {
  const std::vector<std::string> parts = absl::StrSplit(words, ' ', absl::SkipWhitespace());
  if (parts.empty()) return absl::InvalidArgumentError("no work is described; expected a kind and name=value words");
  WorkSpec spec;
  spec.kind_ = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::pair<std::string, std::string> value = absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    if (value.first.empty() || value.second.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("'", parts[i], "' is not of the form name=value"));
    }
    spec.values_[value.first] = value.second;
  }
  return spec;
}

std::string WorkSpec::Text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

absl::StatusOr<int64_t> WorkSpec::Number(const std::string& name) const {
  int64_t number = 0;
  const std::string text = Text(name, "");
  if (!absl::SimpleAtoi(text, &number) || number < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", kind_, "' needs ", name, "=N with N of at least 1, not '", text, "'"));
  }
  return number;
}

absl::StatusOr<int64_t> WorkSpec::Number(const std::string& name, int64_t otherwise) const {
  if (values_.count(name) == 0) return otherwise;
  return Number(name);
}

WorkSpec WorkSpec::With(const std::string& name, const std::string& value) const {
  WorkSpec changed = *this;
  changed.values_[name] = value;
  return changed;
}

absl::StatusOr<std::unique_ptr<Workload>> CreateWorkload(const WorkSpec& spec, const WorkOptions& options) {
  using Factory = absl::StatusOr<std::unique_ptr<Workload>> (*)(const WorkSpec&, const WorkOptions&);
  static constexpr struct {
    const char* kind;
    Factory create;
  } kKinds[] = {{"encode", CreateEncodeWork}, {"train", CreateTrainWork},      {"job", CreateJobWork},
                {"steps", CreateStepsWork},   {"select", CreateSelectWork},    {"product", CreateProductWork},
                {"read", CreateReadWork},     {"handover", CreateHandoverWork}};
  // What follows the first underscore is for bench/peers, which do the work of each kind of encoder in other ways.
  const std::string work = spec.kind().substr(0, spec.kind().find('_'));
  std::string known;
  for (const auto& kind : kKinds) {
    if (work == kind.kind) return kind.create(spec, options);
    absl::StrAppend(&known, " ", kind.kind);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown kind of work '", spec.kind(), "'; expected one of", known));
}

}  // namespace kwta::bench
