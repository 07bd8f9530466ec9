#include "core/io/model_bundle.h"

#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::model_bundle_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ModelBundle SomeBundle() {
  ModelBundle bundle;
  v1::ModelDescription& description = bundle.description;
  description.set_name("digits");
  description.set_input_width(3);
  description.set_code_width(2);
  description.mutable_encoder()->mutable_k_sparse()->set_units(2);
  description.mutable_training()->set_learning_rate(0.1f);
  description.mutable_training()->set_seed(uint64_t{1} << 63);
  description.mutable_statistics()->set_loss(0.1);
  description.mutable_created()->set_seconds(1'700'000'000);
  bundle.tensors["atoms"] = MakeTensor<float>(DType::kF32, {2, 3}, {1, 2, 3, 4, 5, 6});
  bundle.tensors["bias"] = MakeTensor<float>(DType::kF32, {2}, {0.5f, -0.5f});
  return bundle;
}

TEST(ModelBundleTest, RoundTrip) {
  const TemporaryDirectory directory;
  const ModelBundle bundle = SomeBundle();
  ASSERT_THAT(WriteModelBundle(directory.File("1"), bundle), IsOk());
  EXPECT_THAT(directory.List(), ElementsAre("1"));

  const auto read = ReadModelBundle(directory.File("1"));
  ASSERT_THAT(read, IsOk());
  v1::ModelDescription expected = bundle.description;
  expected.set_format(kModelBundleFormat);
  EXPECT_EQ(read->description.SerializeAsString(), expected.SerializeAsString());
  ASSERT_EQ(read->tensors.size(), 2u);
  EXPECT_EQ(read->tensors.at("atoms").as<float>()[5], 6.0f);
  EXPECT_EQ(read->tensors.at("bias").as<float>()[1], -0.5f);
}

TEST(ModelBundleTest, ACloneIsDeep) {
  const ModelBundle bundle = SomeBundle();
  ModelBundle clone = bundle.Clone();
  EXPECT_EQ(clone.description.SerializeAsString(), bundle.description.SerializeAsString());
  EXPECT_EQ(clone.tensors.at("bias").as<float>()[1], -0.5f);
  clone.tensors.at("bias").as<float>()[1] = 9;
  EXPECT_EQ(bundle.tensors.at("bias").as<float>()[1], -0.5f);
}

TEST(ModelBundleTest, DescriptionIsReadable) {
  const TemporaryDirectory directory;
  ASSERT_THAT(WriteModelBundle(directory.File("1"), SomeBundle()), IsOk());
  const std::string json = ReadAll(directory.File("1/model.json"));
  EXPECT_THAT(json, HasSubstr("\"format\": 1"));
  EXPECT_THAT(json, HasSubstr("\"input_width\": 3"));
  EXPECT_THAT(json, HasSubstr("\"k_sparse\": {"));
  EXPECT_THAT(json, HasSubstr("\"dead_units\": \"0\""));  // Fields that are zero are written too.
  EXPECT_THAT(json, HasSubstr("2023-11-14T22:13:20Z"));
}

// A bundle of format 1 as it was first written must stay readable.
TEST(ModelBundleTest, ReadsFilesMadeByHand) {
  const TemporaryDirectory directory;
  directory.Write(
      "m/model.json",
      R"({"format":1,"name":"digits","input_width":1,"code_width":1,"encoder":{"k_sparse":{"units":1,"k":1}}})");
  const std::string json = R"({"atoms":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}})";
  directory.Write("m/model.safetensors",
                  absl::StrCat(LittleEndian(json.size(), 8), json, absl::string_view("\0\0\x80\x3F", 4)));
  const auto read = ReadModelBundle(directory.File("m"));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->description.encoder().k_sparse().units(), 1u);
  EXPECT_EQ(read->tensors.at("atoms").as<float>()[0], 1.0f);
}

TEST(ModelBundleTest, RefusesToReplace) {
  const TemporaryDirectory directory;
  ASSERT_THAT(WriteModelBundle(directory.File("1"), SomeBundle()), IsOk());
  EXPECT_THAT(WriteModelBundle(directory.File("1"), SomeBundle()),
              StatusIs(StatusCode::kAlreadyExists, "exists already"));
  std::filesystem::create_directory(directory.File("empty"));
  EXPECT_THAT(WriteModelBundle(directory.File("empty"), SomeBundle()),
              StatusIs(StatusCode::kAlreadyExists, "exists already"));
  EXPECT_THAT(directory.List(), ElementsAre("1", "empty"));
}

TEST(ModelBundleTest, FailedWritesLeaveNothing) {
  const TemporaryDirectory directory;
  ModelBundle bundle = SomeBundle();
  EXPECT_THAT(WriteModelBundle(directory.File("none/1"), bundle), StatusIs(StatusCode::kNotFound, "none/1"));

  bundle.tensors["large"] = Tensor(DType::kF32, {100000});
  {
    const FileSizeLimit limit(100000);
    EXPECT_THAT(WriteModelBundle(directory.File("1"), bundle),
                StatusIs(StatusCode::kResourceExhausted, "free some space"));
  }
  bundle.tensors["__metadata__"] = Tensor(DType::kF32, {1});
  EXPECT_THAT(WriteModelBundle(directory.File("1"), bundle), StatusIs(StatusCode::kInvalidArgument, "__metadata__"));
  bundle.description.set_name("../up");
  EXPECT_THAT(WriteModelBundle(directory.File("1"), bundle),
              StatusIs(StatusCode::kInvalidArgument, "model name '../up'"));
  EXPECT_THAT(directory.List(), IsEmpty());
}

TEST(ModelBundleTest, RefusedInAnUnwritableDirectory) {
  const TemporaryDirectory directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0555), 0);
  const OrdinaryUser user;
  if (!user.active()) GTEST_SKIP() << "cannot become a user who may not write everywhere";
  EXPECT_THAT(WriteModelBundle(directory.File("1"), SomeBundle()), StatusIs(StatusCode::kPermissionDenied, "/1'"));
}

TEST(ModelBundleTest, EveryTruncationIsDataLoss) {
  const TemporaryDirectory directory;
  ASSERT_THAT(WriteModelBundle(directory.File("1"), SomeBundle()), IsOk());
  for (const char* name : {"1/model.json", "1/model.safetensors"}) {
    const std::string whole = ReadAll(directory.File(name));
    // model.json ends with a newline that means nothing.
    const size_t needed = whole.find_last_not_of('\n') + (whole.back() == '\n' ? 1 : whole.size());
    for (size_t length = 0; length < std::min(needed, whole.size()); ++length) {
      directory.Write(name, absl::string_view(whole).substr(0, length));
      EXPECT_THAT(ReadModelBundle(directory.File("1")), StatusIs(StatusCode::kDataLoss, name)) << length;
    }
    directory.Write(name, whole);
  }
  EXPECT_THAT(ReadModelBundle(directory.File("1")), IsOk());
}

TEST(ModelBundleTest, RefusesWhatIsNoBundle) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("1");
  EXPECT_THAT(ReadModelBundle(path), StatusIs(StatusCode::kNotFound, "no such directory"));
  EXPECT_THAT(ReadModelBundle(directory.Write("file", "")), StatusIs(StatusCode::kNotFound, "no such directory"));

  ASSERT_THAT(WriteModelBundle(path, SomeBundle()), IsOk());
  const std::string json = ReadAll(path + "/model.json");
  const auto read_with = [&](absl::string_view description) {
    directory.Write("1/model.json", description);
    return ReadModelBundle(path).status();
  };
  EXPECT_THAT(read_with(absl::StrReplaceAll(json, {{"\"format\": 1", "\"format\": 2"}})),
              StatusIs(StatusCode::kDataLoss, "has format 2; expected 1"));
  EXPECT_THAT(read_with("{}"), StatusIs(StatusCode::kDataLoss, "has format 0; expected 1"));
  EXPECT_THAT(read_with(R"({"format":1,"whiten":true})"),
              StatusIs(StatusCode::kDataLoss, "written by a later version"));
  EXPECT_THAT(read_with(R"({"format":1,"name":"../up"})"), StatusIs(StatusCode::kDataLoss, "its name '../up'"));
  EXPECT_THAT(read_with(R"({"format":-1})"), StatusIs(StatusCode::kDataLoss, "model.json': is corrupt"));
  EXPECT_THAT(read_with(std::string(100000, '[')), StatusIs(StatusCode::kDataLoss, "is corrupt"));
  EXPECT_THAT(read_with(std::string((1 << 20) + 1, ' ')), StatusIs(StatusCode::kDataLoss, "at most 1048576"));
  std::filesystem::remove(path + "/model.json");
  EXPECT_THAT(ReadModelBundle(path), StatusIs(StatusCode::kDataLoss, "incomplete"));
  directory.Write("1/model.json", json);
  std::filesystem::remove(path + "/model.safetensors");
  EXPECT_THAT(ReadModelBundle(path), StatusIs(StatusCode::kDataLoss, "model.safetensors"));
  std::filesystem::create_directory(path + "/model.safetensors");
  EXPECT_THAT(ReadModelBundle(path), StatusIs(StatusCode::kDataLoss, "not a regular file"));
}

TEST(ValidateNameTest, AcceptsNamesAndNothingElse) {
  for (const std::string& name :
       {std::string("a"), std::string("9"), std::string("k-sparse_1.v2"), std::string(128, 'x')}) {
    EXPECT_THAT(ValidateName("model name", name), IsOk());
  }
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("-a"), std::string("_a"), std::string("a/b"),
        std::string("a b"), std::string("a\0b", 3), std::string("caf\xC3\xA9"), std::string(129, 'x')}) {
    EXPECT_THAT(ValidateName("model name", name), StatusIs(StatusCode::kInvalidArgument, "model name '")) << name;
  }
}

}  // namespace
}  // namespace kwta::model_bundle_test
