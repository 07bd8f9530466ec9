#include "server/web/rest/rest_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

template <typename T>
void AddOutput(const char* name, const char* datatype, const std::vector<T>& elements,
               inference::ModelInferResponse* response) {
  auto* tensor = response->add_outputs();
  tensor->set_name(name);
  tensor->set_datatype(datatype);
  tensor->add_shape(1);
  tensor->add_shape(static_cast<int64_t>(elements.size()));
  response->add_raw_output_contents(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
}

class RestResponseTest : public ::testing::Test {
 protected:
  RestResponseTest() {
    response_.set_model_name("a\"b");
    response_.set_model_version("2");
    response_.set_id("7");
    AddOutput<float>("features", "FP32", {0.1f, -3, 1e-30f}, &response_);
    AddOutput<int32_t>("indices", "INT32", {5, -1}, &response_);
    AddOutput<int64_t>("row_splits", "INT64", {int64_t{1} << 40}, &response_);
  }

  inference::ModelInferResponse response_;
  RestInferRequest request_;
};

TEST_F(RestResponseTest, NumbersReadBackAsTheSame) {
  const auto answer = WriteRestInferResponse(response_, request_, 1 << 20);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->type, "application/json");
  EXPECT_EQ(answer->body, R"({"model_name":"a\"b","model_version":"2","id":"7","outputs":[)"
                          R"({"name":"features","datatype":"FP32","shape":[1,3],"data":[0.1,-3,1e-30]},)"
                          R"({"name":"indices","datatype":"INT32","shape":[1,2],"data":[5,-1]},)"
                          R"({"name":"row_splits","datatype":"INT64","shape":[1,1],"data":[1099511627776]}]})");
}

TEST_F(RestResponseTest, SaysHowManyElementsWereZeroed) {
  (*response_.mutable_parameters())["zeroed_elements"].set_int64_param(3);
  const auto answer = WriteRestInferResponse(response_, request_, 1 << 20);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(nlohmann::json::parse(answer->body)["parameters"], nlohmann::json({{"zeroed_elements", 3}}));
}

TEST_F(RestResponseTest, BinaryDataFollowTheJson) {
  request_.binary_outputs = true;
  request_.binary_output["indices"] = false;
  const auto answer = WriteRestInferResponse(response_, request_, 1 << 20);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->type, "application/octet-stream");
  const size_t length = answer->body.find("]}") == std::string::npos ? 0 : answer->body.rfind("]}") + 2;
  EXPECT_THAT(answer->headers, ElementsAre(Pair("Inference-Header-Content-Length", absl::StrCat(length))));
  EXPECT_EQ(answer->body.substr(length), response_.raw_output_contents(0) + response_.raw_output_contents(2));
  const auto json = nlohmann::json::parse(answer->body.substr(0, length));
  EXPECT_EQ(json["outputs"][0]["parameters"]["binary_data_size"], 12);
  EXPECT_FALSE(json["outputs"][0].contains("data"));
  EXPECT_EQ(json["outputs"][1]["data"], nlohmann::json({5, -1}));
}

TEST_F(RestResponseTest, ClassesAreTexts) {
  inference::ModelInferResponse classes;
  auto* tensor = classes.add_outputs();
  tensor->set_name("features");
  tensor->set_datatype("BYTES");
  classes.add_raw_output_contents(std::string("\3\0\0\0a:1\4\0\0\0bc:2", 15));
  EXPECT_THAT(WriteRestInferResponse(classes, request_, 1 << 20)->body, HasSubstr(R"("data":["a:1","bc:2"])"));
}

TEST_F(RestResponseTest, WhatJsonCannotHold) {
  EXPECT_THAT(std::string(WriteRestInferResponse(response_, request_, 120).status().message()),
              HasSubstr("more than 120 bytes as JSON"));
  AddOutput<float>("values", "FP32", {1, std::numeric_limits<float>::infinity()}, &response_);
  EXPECT_THAT(std::string(WriteRestInferResponse(response_, request_, 1 << 20).status().message()),
              HasSubstr("'values' holds NaN or infinity"));
  request_.binary_output["values"] = true;
  EXPECT_TRUE(WriteRestInferResponse(response_, request_, 1 << 20).ok());
}

}  // namespace
}  // namespace kwta::server
