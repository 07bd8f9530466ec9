#include "tests/ladder/ladder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

namespace fs = std::filesystem;

struct Package {
  const char* headers;  // how their names begin
  const char* target;   // how the names of its targets begin
};
constexpr Package kPackages[] = {
    {"absl/", "absl::"},
    {"google/protobuf/", "protobuf::"},
    {"grpc/", "gRPC::"},
    {"grpcpp/", "gRPC::"},
    {"prometheus/", "prometheus-cpp::"},
    {"dnnl", "DNNL::"},
    {"oneapi/dnnl", "DNNL::"},
    {"omp.h", "OpenMP::"},
    {"cuda_runtime", "CUDA::"},
    {"cublasLt.h", "CUDA::"},
    {"jpeglib.h", "JPEG::"},
    {"png.h", "PNG::"},
    {"webp/", "PkgConfig::libwebp"},
    {"zlib.h", "ZLIB::"},
    {"openssl/", "OpenSSL::"},
    {"Eigen/", "Eigen3::"},
    {"nlohmann/", "nlohmann_json::"},
    {"sqlite3.h", "SQLite::"},
    {"microhttpd.h", "PkgConfig::libmicrohttpd"},
    {"gnutls/", "GnuTLS::"},
    {"CLI/", "CLI11::"},
    {"spdlog/", "spdlog::"},
};

// Headers of the C++ library have neither a dot nor a slash; these are of the system.
bool IsSystemHeader(const std::string& name) {
  static const std::regex system(
      R"([a-z_]+|(sys|arpa|netinet)/[a-z_]+\.h|)"
      R"((arm_neon|cpuid|dlfcn|fcntl|fnmatch|immintrin|malloc|netdb|poll|sched|signal|unistd)\.h)");
  return std::regex_match(name, system);
}

// Of #include lines, and of those that name the file for a later #include KWTA_KERNELS.
std::vector<std::string> Includes(const std::string& text) {
  static const std::regex line(R"re(#\s*(?:include|define\s+KWTA_KERNELS)\s*[<"]([^>"]+)[>"])re");
  std::vector<std::string> names;
  for (std::sregex_iterator i(text.begin(), text.end(), line), end; i != end; ++i) names.push_back((*i)[1]);
  return names;
}

std::string Contents(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Ladder::Ladder(const std::string& description, std::vector<std::string> roots) : roots_(std::move(roots)) {
  std::ifstream in(description);
  std::string word, value;
  Target* target = nullptr;
  while (in >> word && std::getline(in >> std::ws, value)) {
    if (word == "target") {
      target = &targets_[value];
    } else if (target == nullptr) {
      return;
    } else if (word == "source") {
      target->sources.insert(BelowRoot(value));
    } else if (word == "links") {
      target->links.insert(value);
    } else if (word == "exports") {
      target->exports.insert(value);
    }
  }
}

std::vector<std::string> Ladder::targets() const {
  std::vector<std::string> names;
  for (const auto& [name, target] : targets_) names.push_back(name);
  return names;
}

std::string Ladder::BelowRoot(const std::string& path) const {
  std::string below = path;  // the build folder may lie below the sources': the deepest root counts
  for (const std::string& root : roots_) {
    if (absl::StartsWith(path, root + "/") && path.size() - root.size() - 1 < below.size()) {
      below = path.substr(root.size() + 1);
    }
  }
  return below;
}

std::string Ladder::Find(const std::string& file) const {
  for (const std::string& root : roots_) {
    if (fs::is_regular_file(fs::path(root) / file)) return fs::path(root) / file;
  }
  return "";
}

std::string Ladder::Owner(const std::string& file) const {
  const std::string source = fs::path(file).replace_extension(".cc");
  for (const auto& [name, target] : targets_) {
    if (target.sources.count(source) > 0) return name;
  }
  for (fs::path folder = fs::path(file).parent_path(); !folder.empty(); folder = folder.parent_path()) {
    std::set<std::string> here;
    for (const auto& [name, target] : targets_) {
      for (const std::string& other : target.sources) {
        if (fs::path(other).parent_path() == folder) here.insert(name);
      }
    }
    for (const std::string& lowest : here) {
      if (std::all_of(here.begin(), here.end(), [&](const auto& other) { return Links(other).count(lowest) > 0; })) {
        return lowest;
      }
    }
  }
  return "";
}

std::set<std::string> Ladder::Links(const std::string& target) const {
  std::set<std::string> all;
  std::vector<std::string> next = {target};
  while (!next.empty()) {
    const std::string name = std::move(next.back());
    next.pop_back();
    const auto found = targets_.find(name);
    if (all.insert(name).second && found != targets_.end()) {
      next.insert(next.end(), found->second.links.begin(), found->second.links.end());
    }
  }
  return all;
}

std::set<std::string> Ladder::MayInclude(const std::string& target) const {
  std::set<std::string> all = {target};
  const auto& links = targets_.at(target).links;
  std::vector<std::string> next(links.begin(), links.end());
  while (!next.empty()) {
    const std::string name = std::move(next.back());
    next.pop_back();
    const auto found = targets_.find(name);
    if (all.insert(name).second && found != targets_.end()) {
      next.insert(next.end(), found->second.exports.begin(), found->second.exports.end());
    }
  }
  return all;
}

std::vector<std::string> Ladder::Problems(const std::string& target, const std::string& file,
                                          const std::string& text) const {
  std::vector<std::string> problems;
  const std::set<std::string> allowed = MayInclude(target);
  for (const std::string& name : Includes(text)) {
    const std::string line = absl::StrCat(file, " of ", target, " includes ", name, ", ");
    if (!Find(name).empty()) {
      const std::string owner = Owner(name);
      if (owner.empty()) {
        problems.push_back(line + "which belongs to no target: give its folder a source file of the target's");
      } else if (allowed.count(owner) == 0) {
        problems.push_back(absl::StrCat(line, "which belongs to ", owner, ": ", target, " does not link it"));
      }
      continue;
    }
    if (IsSystemHeader(name)) continue;
    const auto* package = std::find_if(std::begin(kPackages), std::end(kPackages),
                                       [&](const Package& p) { return absl::StartsWith(name, p.headers); });
    if (package == std::end(kPackages)) {
      problems.push_back(line + "which belongs to no package: name its package in tests/ladder/ladder.cc");
    } else if (std::none_of(allowed.begin(), allowed.end(),
                            [&](const auto& link) { return absl::StartsWith(link, package->target); })) {
      problems.push_back(absl::StrCat(line, "which belongs to ", package->target, ": ", target, " does not link it"));
    }
  }
  return problems;
}

std::vector<std::string> Ladder::AllProblems(std::set<std::string>* read) const {
  std::vector<std::string> problems, next;
  for (const auto& [name, target] : targets_) next.insert(next.end(), target.sources.begin(), target.sources.end());
  while (!next.empty()) {
    const std::string file = std::move(next.back());
    next.pop_back();
    // Generated files include what their generator likes.
    if (absl::StrContains(file, ".pb.") || !read->insert(file).second) continue;
    const std::string owner = Owner(file);
    if (owner.empty()) continue;  // whoever includes it is told
    const std::string text = Contents(Find(file));
    for (std::string& problem : Problems(owner, file, text)) problems.push_back(std::move(problem));
    for (std::string& name : Includes(text)) {
      if (!Find(name).empty()) next.push_back(std::move(name));
    }
  }
  return problems;
}

}  // namespace kwta
