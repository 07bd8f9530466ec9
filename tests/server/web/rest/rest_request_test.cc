#include "server/web/rest/rest_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr char kBegin[] = R"({"inputs":[{"name":"input","datatype":"FP32","shape":[1,2],)";

void ExpectRestError(const std::string& body, const std::string& text, const std::string& header_length = "") {
  const absl::Status status = ParseRestInferRequest(body, header_length).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << body;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text)) << body;
}

TEST(RestRequestTest, DataAreNumbersInAnyNesting) {
  const auto parsed = ParseRestInferRequest(
      R"({"id":"7","parameters":{"k":2,"alpha":1.5,"note":"x","flag":true,"large":18446744073709551615},
          "inputs":[{"data":[[1,-2.5],[3e1,0]],"name":"input","shape":[2,2],"datatype":"FP32"}],
          "outputs":[{"name":"values","parameters":{"binary_data":true,"classification":3}},{"name":"indices"}]})",
      "");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const inference::ModelInferRequest& request = parsed->request;
  EXPECT_EQ(request.id(), "7");
  EXPECT_EQ(request.parameters().at("k").int64_param(), 2);
  EXPECT_EQ(request.parameters().at("alpha").double_param(), 1.5);
  EXPECT_EQ(request.parameters().at("note").string_param(), "x");
  EXPECT_TRUE(request.parameters().at("flag").bool_param());
  EXPECT_EQ(request.parameters().at("large").uint64_param(), UINT64_MAX);
  EXPECT_THAT(request.inputs(0).contents().fp32_contents(), ElementsAre(1, -2.5f, 30, 0));
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(parsed->binary_output, ElementsAre(Pair("values", true)));
  EXPECT_FALSE(parsed->binary_outputs);
  EXPECT_EQ(request.outputs(0).parameters().size(), 1u) << "binary_data is not the handler's";
  EXPECT_EQ(request.outputs(0).parameters().at("classification").int64_param(), 3);
}

TEST(RestRequestTest, BytesAreIntegers) {
  const std::string begin = R"({"inputs":[{"name":"input","datatype":"UINT8","shape":[1,2],"data":)";
  const auto parsed = ParseRestInferRequest(begin + "[0,255]}]}", "");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->request.inputs(0).contents().uint_contents(), ElementsAre(0, 255));
  for (const char* data : {"[0,256]", "[-1,0]", "[0.5,0]", "[1e30,0]"}) {
    ExpectRestError(absl::StrCat(begin, data, "}]}"), "expected integers of 0 to 255");
  }
}

TEST(RestRequestTest, BinaryDataFollowTheJson) {
  const std::string json = absl::StrCat(kBegin, R"("parameters":{"binary_data_size":8}}],
                                        "parameters":{"binary_data_output":true}})");
  const std::string elements = "12345678";
  const auto parsed = ParseRestInferRequest(json + elements, absl::StrCat(json.size()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->request.raw_input_contents(), ElementsAre(elements));
  EXPECT_TRUE(parsed->request.inputs(0).parameters().empty());
  EXPECT_TRUE(parsed->request.parameters().empty());
  EXPECT_TRUE(parsed->binary_outputs);
  ExpectRestError(json + "1234567", "7 bytes are left", absl::StrCat(json.size()));
  ExpectRestError(json + elements + "9", "1 bytes behind the JSON", absl::StrCat(json.size()));
  ExpectRestError(json + elements, "the JSON of the request cannot be read");
  for (const char* length : {"0", "-1", "x", "99999999999", "1e2"}) {
    ExpectRestError(json + elements, "Inference-Header-Content-Length is", length);
  }
}

TEST(RestRequestTest, TwoInputsTakeTheirParts) {
  const std::string input = R"({"name":"a","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}})";
  const std::string json = absl::StrCat(R"({"inputs":[)", input, ",", input, "]}");
  const auto parsed = ParseRestInferRequest(json + "aaaabbbb", absl::StrCat(json.size()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->request.raw_input_contents(), ElementsAre("aaaa", "bbbb"));
}

TEST(RestRequestTest, WrongForms) {
  const std::string begin = kBegin;
  ExpectRestError("", "syntax error");
  ExpectRestError("{", "syntax error at byte");
  ExpectRestError("[]", "must be a JSON object");
  ExpectRestError("{}", "'inputs' of the request must be an array");
  ExpectRestError(R"({"inputs":{"data":[1]}})", "'inputs' of the request must be an array");
  ExpectRestError(R"({"inputs":[3]})", "must be an array of objects");
  ExpectRestError(R"({"inputs":[],"imputs":[]})", "'imputs' of the request is not known");
  ExpectRestError(R"({"inputs":[{"name":3,"shape":[1]}]})", "'name' of the request must be a text");
  ExpectRestError(R"({"inputs":[{"name":"a","shape":[1.5]}]})", "must be an array of integers");
  ExpectRestError(R"({"inputs":[{"name":"a"}]})", "must be an array of integers");
  ExpectRestError(begin + R"("dta":[1]}]})", "'dta' of an input is not known");
  ExpectRestError(begin + R"("data":[1,NaN]}]})", "numbers must be finite");
  ExpectRestError(begin + R"("data":[1,1e999]}]})", "numbers must be finite");
  ExpectRestError(begin + R"("data":[1,"2"]}]})", "data must be an array of numbers");
  ExpectRestError(begin + R"("data":[1,{}]}]})", "data must be an array of numbers");
  ExpectRestError(begin + R"("data":3}]})", "data must be an array of numbers");
  ExpectRestError(begin + R"("data":[[[[[[[[[1]]]]]]]]]}]})", "nested more than 8 deep");
  ExpectRestError(begin + R"("data":[1,2],"data":[1,2]}]})", "'data' stands twice");
  ExpectRestError(begin + R"("parameters":{}}]})", "has no elements");
  ExpectRestError(begin + R"("data":[1,2],"parameters":{"binary_data_size":8}}]})", "send one of them");
  ExpectRestError(begin + R"("parameters":{"binary_data_size":-8}}]})", "must be a number of bytes");
  ExpectRestError(begin + R"("parameters":[1],"data":[1,2]}]})", "'parameters' of the request must be an object");
  ExpectRestError(begin + R"("parameters":{"a":null},"data":[1,2]}]})", "'a' of the request must be a number");
  ExpectRestError(begin + R"("data":[1,2]}],"outputs":{}})", "'outputs' of the request must be an array");
  ExpectRestError(begin + R"("data":[1,2]}],"outputs":[{"name":"a","parameters":{"binary_data":1}}]})",
                  "'binary_data' of the request must be true or false");
  ExpectRestError(R"({"inputs":[{"name":"input","datatype":"FP16","shape":[1],"data":[1]}]})",
                  "of which data cannot be");
  ExpectRestError(absl::StrCat(R"({"inputs":[],"id":)", std::string(100000, '['), "}"), "nested more than 8 deep");
  std::string many = R"({"inputs":[],"outputs":[0)";
  for (int i = 0; i < 10000; ++i) many += ",0";
  ExpectRestError(many + "]}", "more than 10000 values");
}

TEST(RestRequestTest, RepositoryRequestsMayBeEmpty) {
  EXPECT_FALSE(ParseRestIndexRequest("")->ready());
  EXPECT_TRUE(ParseRestIndexRequest(R"({"ready":true})")->ready());
  EXPECT_FALSE(ParseRestIndexRequest(R"({"ready":1})").ok());
  EXPECT_TRUE(ParseRestLoadRequest("")->parameters().empty());
  EXPECT_EQ(ParseRestLoadRequest(R"({"parameters":{"config":"{}"}})")->parameters().at("config").string_param(), "{}");
  EXPECT_TRUE(ParseRestUnloadRequest(R"({"parameters":{"unload_dependents":true}})")
                  ->parameters()
                  .at("unload_dependents")
                  .bool_param());
  EXPECT_FALSE(ParseRestUnloadRequest(R"({"model":"x"})").ok());
}

}  // namespace
}  // namespace kwta::server
