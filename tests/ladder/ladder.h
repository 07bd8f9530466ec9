// The targets of the build, and which headers the files of each may include.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace kwta {

class Ladder {
 public:
  // Reads what CMake wrote (see CMakeLists.txt). `roots` are the folders that #include lines start from. A file that
  // cannot be read leaves the ladder without targets.
  Ladder(const std::string& description, std::vector<std::string> roots);

  std::vector<std::string> targets() const;

  // The target that a file belongs to, given its path below a root; empty if none has a file in its folder or in one
  // above. A source file belongs to the target that compiles it, and a header to that of the source file of the same
  // name. A header on its own belongs to the target of its folder, which is the lowest if there are several.
  std::string Owner(const std::string& file) const;

  // All that `target` links, directly or through others, itself included.
  std::set<std::string> Links(const std::string& target) const;
  // Those of which it may include headers: the targets that it links itself and what these export.
  std::set<std::string> MayInclude(const std::string& target) const;

  // A sentence for each #include line of `text` that files of `target` may not have. `file` names the text.
  std::vector<std::string> Problems(const std::string& target, const std::string& file, const std::string& text) const;

  // The same of every source file, and of every header that they include, directly or not, as a file of its owner.
  // Adds the paths of the files that were read to `read`.
  std::vector<std::string> AllProblems(std::set<std::string>* read) const;

 private:
  struct Target {
    std::set<std::string> sources;  // below a root
    std::set<std::string> links;
    std::set<std::string> exports;
  };

  std::string BelowRoot(const std::string& path) const;
  // The whole path of a file below a root; empty if there is none.
  std::string Find(const std::string& file) const;

  std::vector<std::string> roots_;
  std::map<std::string, Target> targets_;
};

}  // namespace kwta
