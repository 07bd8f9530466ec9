#include "tests/ladder/ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kwta::ladder_test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

const Ladder& Built() {
  static const auto* const ladder = [] {
    std::vector<std::string> roots = absl::StrSplit(KWTA_GENERATED, ':');
    roots.emplace_back(KWTA_SOURCES);
    return new Ladder(KWTA_LADDER, roots);
  }();
  return *ladder;
}

bool Has(const std::string& target) { return testing::Value(Built().targets(), Contains(target)); }

struct Forbidden {
  const char* target;
  const char* header;
};
constexpr Forbidden kForbidden[] = {
    {"kwta_proto", "core/base/rng.h"},
    {"kwta_grpc", "core/base/rng.h"},
    {"kwta_inference", "kwta/v1/service.pb.h"},
    {"kwta_server_grpc", "server/server.h"},
    {"kwta_base", "core/io/model_bundle.h"},
    {"kwta_base", "google/protobuf/message.h"},
    {"kwta_simd", "core/backends/backend.h"},
    {"kwta_io", "core/encoders/encoder.h"},
    {"kwta_io", "core/backends/backend.h"},
    {"kwta_backends", "core/io/model_bundle.h"},
    {"kwta_backends", "kwta/v1/encoder.pb.h"},
    {"kwta_encoders", "core/evaluation/linear_probe.h"},
    {"kwta_encoders", "dnnl.h"},
    {"kwta_evaluation", "core/training/run_job.h"},
    {"kwta_training", "core/research/comparisons/k_means.h"},
    {"kwta_training", "kwta/v1/service.grpc.pb.h"},
    {"kwta_research", "server/address.h"},
    {"kwta_serving", "grpcpp/grpcpp.h"},
    {"kwta_serving", "kwta/v1/service.grpc.pb.h"},
    {"kwta_serving", "server/services/grpc/grpc_call.h"},
    {"kwta_serving", "core/research/comparisons/k_means.h"},
    {"kwta_server_lib", "client/client.h"},
    {"kwta_server_lib", "prometheus/counter.h"},
    {"kwta-server", "core/research/comparisons/k_means.h"},
    {"kwta-trainer", "server/jobs/job_runner.h"},
    {"kwta-trainer", "grpcpp/grpcpp.h"},
    {"kwta_client", "core/io/model_bundle.h"},
    {"kwta_client", "core/simd/adam.h"},
    {"kwta_client", "server/address.h"},
    {"kwta_client", "dnnl.h"},
    {"kwta_client", "jpeglib.h"},
    {"kwta_client", "png.h"},
    {"kwta_cli", "server/address.h"},
    {"kwta_command_line", "client/client.h"},
    {"kwta", "server/address.h"},
};

TEST(Ladder, EveryFileIncludesOnlyWhatItsTargetLinks) {
  std::set<std::string> read;
  EXPECT_THAT(Built().AllProblems(&read), IsEmpty());
  EXPECT_THAT(read, IsSupersetOf({"core/base/rng.h", "core/encoders/encoder_kind.h",
                                  "core/research/comparisons/k_means.cc", "core/simd/adam.cc"}));
  if (Has("kwta_client")) {
    EXPECT_THAT(read, IsSupersetOf({"client/options.h", "server/server.cc", "server/trainer/main.cc"}));
  }
}

TEST(Ladder, AForbiddenIncludeOfEachTargetIsReported) {
  std::set<std::string> tried;
  for (const auto& [target, header] : kForbidden) {
    if (!Has(target)) continue;  // built without the server
    SCOPED_TRACE(absl::StrCat(target, " includes ", header));
    if (absl::StartsWith(header, "core/") || absl::StartsWith(header, "server/") ||
        absl::StartsWith(header, "client/")) {
      EXPECT_TRUE(std::filesystem::exists(absl::StrCat(KWTA_SOURCES, "/", header)));
    }
    EXPECT_THAT(Built().Problems(target, "made_up.cc", absl::StrCat("#include <vector>\n#include \"", header, "\"\n")),
                ElementsAre(HasSubstr(absl::StrCat(" of ", target, " includes ", header, ", "))));
    tried.insert(target);
  }
  EXPECT_THAT(tried, testing::UnorderedElementsAreArray(Built().targets())) << "a target without a forbidden include";
}

TEST(Ladder, AHeaderOfNobodyIsReported) {
  EXPECT_THAT(Built().Problems("kwta_base", "made_up.cc", "#include <unheard_of/package.h>\n"),
              ElementsAre(HasSubstr("belongs to no package")));
  EXPECT_THAT(Built().Problems("kwta_base", "made_up.cc", "#include \"tests/temporary_directory.h\"\n"),
              ElementsAre(HasSubstr("belongs to no target")));
}

TEST(Ladder, CoreKnowsNeitherGrpcNorPrometheus) {
  for (const char* target : {"kwta_base", "kwta_simd", "kwta_io", "kwta_backends", "kwta_encoders", "kwta_evaluation",
                             "kwta_training", "kwta_research"}) {
    SCOPED_TRACE(target);
    for (const char* header : {"grpcpp/grpcpp.h", "grpc/grpc.h", "prometheus/counter.h"}) {
      EXPECT_THAT(Built().Problems(target, "made_up.cc", absl::StrCat("#include <", header, ">\n")), Not(IsEmpty()));
    }
    for (const std::string& link : Built().Links(target)) {
      EXPECT_THAT(link, Not(HasSubstr("gRPC")));
      EXPECT_THAT(link, Not(HasSubstr("prometheus")));
    }
  }
}

TEST(Ladder, ProgramsLinkWhatTheyShould) {
  if (!Has("kwta-server")) GTEST_SKIP() << "built without the server";
  EXPECT_THAT(Built().Links("kwta-server"), Contains("kwta_training"));
  EXPECT_THAT(Built().Links("kwta-server"), Not(Contains("kwta_research")));
  EXPECT_THAT(Built().Links("kwta-trainer"), Contains("kwta_training"));
  EXPECT_THAT(Built().Links("kwta-trainer"), Not(Contains("kwta_research")));
  std::set<std::string> own;
  for (const std::string& link : Built().Links("kwta_client")) {
    if (absl::StartsWith(link, "kwta")) own.insert(link);
  }
  EXPECT_THAT(own, ElementsAre("kwta_base", "kwta_client", "kwta_grpc", "kwta_proto"));
}

}  // namespace
}  // namespace kwta::ladder_test
