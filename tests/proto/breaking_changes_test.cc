#include "tests/proto/breaking_changes.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "grpc/health/v1/health.pb.h"
#include "inference/open_inference.pb.h"
#include "kwta/v1/service.pb.h"
#include "tests/temporary_directory.h"

namespace kwta {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Proto files as the compiler reads them.
class CompiledProtos {
 public:
  // All that are in a folder, with their names relative to it.
  explicit CompiledProtos(const std::string& folder) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".proto") names_.push_back(entry.path().lexically_relative(folder));
    }
    const TemporaryDirectory work;
    const std::string compiled = work.File("descriptors");
    const std::string command =
        absl::StrCat("'" KWTA_PROTOC "' -I '", folder, "' --include_imports --descriptor_set_out='", compiled, "' '",
                     absl::StrJoin(names_, "' '"), "'");
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    google::protobuf::FileDescriptorSet files;
    std::ifstream in(compiled, std::ios::binary);
    EXPECT_TRUE(files.ParseFromIstream(&in));
    for (const auto& file : files.file()) EXPECT_NE(pool_.BuildFile(file), nullptr) << file.name();
  }

  const std::vector<std::string>& names() const { return names_; }
  const DescriptorPool& pool() const { return pool_; }

  // From these files to those of `now`.
  std::vector<std::string> ChangesTo(const DescriptorPool& now) const {
    std::vector<std::string> changes;
    for (const std::string& name : names_) {
      const FileDescriptor* file = pool_.FindFileByName(name);
      if (file == nullptr) {
        ADD_FAILURE() << name << " does not compile";
        continue;
      }
      for (std::string& change : BreakingChanges(*file, now)) changes.push_back(std::move(change));
    }
    return changes;
  }

 private:
  std::vector<std::string> names_;
  DescriptorPool pool_;
};

constexpr char kReleased[] = R"(
  syntax = "proto3";
  package made.up;
  enum Colour {
    reserved 7;
    reserved "BEIGE";
    NONE = 0;
    RED = 1;
    BLUE = 2;
  }
  message Inner { uint32 depth = 1; }
  message Outer {
    reserved 4, 10 to 12;
    reserved "old";
    optional uint32 count = 1;
    repeated float weights = 2;
    Inner inner = 3;
    Colour colour = 5;
    string name = 6;
    oneof kind {
      uint32 first = 7;
      Inner second = 8;
    }
    message Nested { bytes data = 1; }
    Nested nested = 9;
  }
  service Made {
    rpc Once(Inner) returns (Outer);
    rpc Watch(Inner) returns (stream Outer);
  }
)";

// The changes from kReleased to the same with texts replaced.
std::vector<std::string> ChangesAfter(const std::vector<std::pair<std::string, std::string>>& replacements) {
  const std::string changed = absl::StrReplaceAll(kReleased, replacements);
  EXPECT_TRUE(replacements.empty() || changed != kReleased);
  const TemporaryDirectory was, now;
  was.Write("made_up.proto", kReleased);
  now.Write("made_up.proto", changed);
  return CompiledProtos(was.path()).ChangesTo(CompiledProtos(now.path()).pool());
}

TEST(BreakingChanges, NothingNewBreaksAnything) {
  EXPECT_THAT(ChangesAfter({}), IsEmpty());
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "string name = 6; double more = 13; repeated Inner others = 14;"},
                            {"BLUE = 2;", "BLUE = 2; GREEN = 3;"},
                            {"uint32 first = 7;", "uint32 first = 7; bool third = 15;"},
                            {"rpc Once", "rpc Twice(Outer) returns (Inner); rpc Once"},
                            {"message Inner", "message Another {} enum Shape { ROUND = 0; } message Inner"}}),
              IsEmpty());
}

TEST(BreakingChanges, WhatIsGoneMustBeReserved) {
  EXPECT_THAT(ChangesAfter({{"string name = 6;", ""}}),
              ElementsAre("made.up.Outer: name = 6 is gone; write 'reserved 6; reserved \"name\";' in its place"));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "reserved 6;"}}), ElementsAre(HasSubstr("name = 6 is gone")));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "reserved \"name\";"}}), ElementsAre(HasSubstr("name = 6 is gone")));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "reserved 6; reserved \"name\";"}}), IsEmpty());
  EXPECT_THAT(ChangesAfter({{"uint32 first = 7;", ""}}), ElementsAre(HasSubstr("made.up.Outer: first = 7 is gone")));
  EXPECT_THAT(ChangesAfter({{"bytes data = 1;", ""}}), ElementsAre(HasSubstr("made.up.Outer.Nested: data = 1 is")));
  EXPECT_THAT(ChangesAfter({{"RED = 1;", ""}}),
              ElementsAre("made.up.Colour: RED = 1 is gone; write 'reserved 1; reserved \"RED\";' in its place"));
  EXPECT_THAT(ChangesAfter({{"RED = 1;", "reserved 1; reserved \"RED\";"}}), IsEmpty());
}

TEST(BreakingChanges, NumbersAndNamesStay) {
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "string name = 13;"}}),
              ElementsAre("made.up.Outer: name = 6 has another number, 13"));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "reserved 6; string name = 13;"}}),
              ElementsAre(HasSubstr("name = 6 has another number, 13")));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "string title = 6;"}}),
              ElementsAre("made.up.Outer: name = 6 has another name, title"));
  EXPECT_THAT(ChangesAfter({{"RED = 1;", "RED = 3;"}}), ElementsAre("made.up.Colour: RED = 1 has another number, 3"));
  EXPECT_THAT(ChangesAfter({{"RED = 1;", "SCARLET = 1;"}}),
              ElementsAre("made.up.Colour: RED = 1 has another name, SCARLET"));
  EXPECT_THAT(
      ChangesAfter({{"RED = 1;", "BLUE = 1;"}, {"BLUE = 2;", "RED = 2;"}}),
      ElementsAre("made.up.Colour: RED = 1 has another number, 2", "made.up.Colour: BLUE = 2 has another number, 1"));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "string name = 6 [json_name = \"title\"];"}}),
              ElementsAre("made.up.Outer.name was name in JSON and is title"));
}

TEST(BreakingChanges, WhatWasReservedIsNeverTaken) {
  EXPECT_THAT(ChangesAfter({{"reserved 4, 10 to 12;", "uint32 new = 12;"}}),
              ElementsAre("made.up.Outer: new = 12 takes a number or a name that was reserved; take another"));
  EXPECT_THAT(ChangesAfter({{"reserved 4, 10 to 12;", "uint32 new = 4;"}}), ElementsAre(HasSubstr("new = 4 takes")));
  EXPECT_THAT(ChangesAfter({{"reserved \"old\";", "uint32 old = 13;"}}), ElementsAre(HasSubstr("old = 13 takes")));
  EXPECT_THAT(ChangesAfter({{"reserved 7;", ""}, {"BLUE = 2;", "BLUE = 2; PINK = 7;"}}),
              ElementsAre(HasSubstr("Colour: PINK = 7 takes")));
  EXPECT_THAT(ChangesAfter({{"reserved \"BEIGE\";", ""}, {"BLUE = 2;", "BLUE = 2; BEIGE = 8;"}}),
              ElementsAre(HasSubstr("BEIGE = 8 takes")));
}

TEST(BreakingChanges, TypesAndLabelsStay) {
  EXPECT_THAT(ChangesAfter({{"optional uint32 count", "optional uint64 count"}}),
              ElementsAre("made.up.Outer.count was optional uint32 and is optional uint64"));
  EXPECT_THAT(ChangesAfter({{"optional uint32 count", "uint32 count"}}),
              ElementsAre("made.up.Outer.count was optional uint32 and is uint32"));
  EXPECT_THAT(ChangesAfter({{"string name = 6;", "optional string name = 6;"}}),
              ElementsAre("made.up.Outer.name was string and is optional string"));
  EXPECT_THAT(ChangesAfter({{"repeated float weights", "float weights"}}),
              ElementsAre("made.up.Outer.weights was repeated float and is float"));
  EXPECT_THAT(ChangesAfter({{"Inner inner = 3;", "Nested inner = 3;"}}),
              ElementsAre("made.up.Outer.inner was made.up.Inner and is made.up.Outer.Nested"));
  EXPECT_THAT(ChangesAfter({{"Colour colour", "int32 colour"}}),
              ElementsAre("made.up.Outer.colour was made.up.Colour and is int32"));
  EXPECT_THAT(ChangesAfter({{"uint32 first = 7;", ""}, {"string name = 6;", "string name = 6; uint32 first = 7;"}}),
              ElementsAre("made.up.Outer.first was uint32 in oneof kind and is uint32"));
}

TEST(BreakingChanges, MessagesEnumsAndServicesStay) {
  EXPECT_THAT(ChangesAfter({{"package made.up;", "package made.down;"}}),
              ElementsAre("message made.up.Inner is gone", "message made.up.Outer is gone",
                          "enum made.up.Colour is gone", "service made.up.Made is gone"));
  EXPECT_THAT(ChangesAfter({{"Nested", "Other"}}),
              ElementsAre("made.up.Outer.nested was made.up.Outer.Nested and is made.up.Outer.Other",
                          "message made.up.Outer.Nested is gone"));
  EXPECT_THAT(ChangesAfter({{"rpc Once(Inner) returns (Outer);", ""}}),
              ElementsAre("method made.up.Made.Once is gone"));
  EXPECT_THAT(ChangesAfter({{"rpc Once(", "rpc Always("}}), ElementsAre("method made.up.Made.Once is gone"));
  EXPECT_THAT(
      ChangesAfter({{"rpc Once(Inner)", "rpc Once(Outer)"}}),
      ElementsAre("made.up.Made.Once was (made.up.Inner) returns (made.up.Outer) and is (made.up.Outer) returns "
                  "(made.up.Outer)"));
  EXPECT_THAT(ChangesAfter({{"rpc Once(Inner)", "rpc Once(stream Inner)"}}),
              ElementsAre(HasSubstr("is (stream made.up.Inner) returns (made.up.Outer)")));
  EXPECT_THAT(ChangesAfter({{"returns (stream Outer)", "returns (Outer)"}}),
              ElementsAre(AllOf(HasSubstr("made.up.Made.Watch was (made.up.Inner) returns (stream made.up.Outer)"),
                                HasSubstr("is (made.up.Inner) returns (made.up.Outer)"))));
}

TEST(ProtoFiles, HaveNoBreakingChangesSinceAnyRelease) {
  // That their descriptors are linked; service.proto imports the rest of kwta's.
  for (const auto* message : {v1::EncodeRequest::descriptor(), ::inference::ModelInferRequest::descriptor(),
                              ::grpc::health::v1::HealthCheckRequest::descriptor()}) {
    ASSERT_NE(message, nullptr);
  }
  int releases = 0;
  for (const auto& release : std::filesystem::directory_iterator(KWTA_TEST_DATA "/formats")) {
    if (!release.is_directory()) continue;
    ++releases;
    SCOPED_TRACE(release.path());
    const CompiledProtos released(release.path() / "proto");
    EXPECT_GE(released.names().size(), 6u);
    EXPECT_THAT(released.ChangesTo(*DescriptorPool::generated_pool()), IsEmpty());
  }
  EXPECT_GE(releases, 1);
}

}  // namespace
}  // namespace kwta
