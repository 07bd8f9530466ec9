#include "server/services/grpc/reflection_answer.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "kwta/v1/service.pb.h"

namespace kwta::server {
namespace {

using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

ServerReflectionResponse Ask(const ServerReflectionRequest& request) {
  ServerReflectionResponse response = AnswerReflection(request, {"a.Service", "b.Service"});
  EXPECT_EQ(response.original_request().SerializeAsString(), request.SerializeAsString());
  return response;
}

std::vector<std::string> FilesOf(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

void ExpectReflectionError(const ServerReflectionRequest& request, absl::StatusCode code, const std::string& text) {
  const ServerReflectionResponse response = Ask(request);
  EXPECT_EQ(response.error_response().error_code(), static_cast<int>(code));
  EXPECT_THAT(response.error_response().error_message(), HasSubstr(text));
}

TEST(ReflectionAnswerTest, ListsServices) {
  ServerReflectionRequest request;
  request.set_host("here");
  request.set_list_services("*");
  const ServerReflectionResponse response = Ask(request);
  EXPECT_EQ(response.valid_host(), "here");
  ASSERT_EQ(response.list_services_response().service_size(), 2);
  EXPECT_EQ(response.list_services_response().service(1).name(), "b.Service");
}

TEST(ReflectionAnswerTest, FilesComeWithWhatTheyImport) {
  ServerReflectionRequest request;
  request.set_file_by_filename("kwta/v1/service.proto");
  std::vector<std::string> files = FilesOf(Ask(request));
  EXPECT_EQ(files.front(), "kwta/v1/service.proto");
  EXPECT_THAT(files, IsSupersetOf({"kwta/v1/encoder.proto", "kwta/v1/job.proto", "google/protobuf/timestamp.proto"}));
  EXPECT_EQ(std::set<std::string>(files.begin(), files.end()).size(), files.size()) << "each once";
  for (const char* symbol : {"kwta.v1.EncoderService", "kwta.v1.EncoderService.Encode", "kwta.v1.EncodeRequest",
                             "kwta.v1.EncodeRequest.model"}) {
    request.set_file_containing_symbol(symbol);
    EXPECT_EQ(FilesOf(Ask(request)), files) << symbol;
  }
}

TEST(ReflectionAnswerTest, KnowsExtensions) {
  // descriptor.proto is compiled in; nothing here extends its messages.
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("google.protobuf.FieldOptions");
  const ServerReflectionResponse response = Ask(request);
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "google.protobuf.FieldOptions");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
  request.mutable_file_containing_extension()->set_containing_type("google.protobuf.FieldOptions");
  request.mutable_file_containing_extension()->set_extension_number(7);
  ExpectReflectionError(request, absl::StatusCode::kNotFound, "extension 7 of 'google.protobuf.FieldOptions'");
}

TEST(ReflectionAnswerTest, SaysWhatItDoesNotKnow) {
  ServerReflectionRequest request;
  ExpectReflectionError(request, absl::StatusCode::kInvalidArgument, "asks for nothing");
  request.set_file_by_filename("no.proto");
  ExpectReflectionError(request, absl::StatusCode::kNotFound, "file 'no.proto'");
  request.set_file_containing_symbol("no.Symbol");
  ExpectReflectionError(request, absl::StatusCode::kNotFound, "symbol 'no.Symbol'");
  request.set_all_extension_numbers_of_type("no.Message");
  ExpectReflectionError(request, absl::StatusCode::kNotFound, "message 'no.Message'");
}

}  // namespace
}  // namespace kwta::server
