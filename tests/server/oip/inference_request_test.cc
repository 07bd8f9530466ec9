#include "server/oip/inference_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

inference::ModelInferRequest Request(const std::string& datatype = "FP32") {
  inference::ModelInferRequest request;
  request.set_model_name("digits");
  auto* input = request.add_inputs();
  input->set_name("input");
  input->set_datatype(datatype);
  input->add_shape(2);
  input->add_shape(1);
  return request;
}

void ExpectError(inference::ModelInferRequest request, absl::StatusCode code, const std::string& text) {
  const absl::Status status = ConvertRequest(&request).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

v1::EncodeOptions ConvertParametersOf(inference::ModelInferRequest request) {
  return ConvertRequest(&request).value().encode.options();
}

TEST(InferenceRequestTest, RawElementsAreTakenWithoutACopy) {
  inference::ModelInferRequest request = Request("UINT8");
  request.set_id("7");
  request.add_raw_input_contents(std::string(1000, 'x'));
  const char* elements = request.raw_input_contents(0).data();
  const auto converted = ConvertRequest(&request);
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->encode.input().raw().data(), elements);
  EXPECT_EQ(converted->encode.input().dtype(), v1::DTYPE_U8);
  EXPECT_THAT(converted->encode.input().shape(), ElementsAre(2, 1));
  EXPECT_EQ(converted->encode.model(), "digits");
  EXPECT_EQ(converted->id, "7");
  EXPECT_EQ(converted->encode.options().output(), v1::OUTPUT_MODE_DENSE) << "all outputs are wanted";
}

TEST(InferenceRequestTest, TypedContentsAreTaken) {
  inference::ModelInferRequest floats = Request();
  floats.mutable_inputs(0)->mutable_contents()->add_fp32_contents(0.5f);
  floats.mutable_inputs(0)->mutable_contents()->add_fp32_contents(2);
  EXPECT_THAT(ConvertRequest(&floats)->encode.input().floats(), ElementsAre(0.5f, 2));
  inference::ModelInferRequest bytes = Request("UINT8");
  bytes.mutable_inputs(0)->mutable_contents()->add_uint_contents(0);
  bytes.mutable_inputs(0)->mutable_contents()->add_uint_contents(255);
  EXPECT_EQ(ConvertRequest(&bytes)->encode.input().raw(), std::string("\0\xff", 2));
  bytes = Request("UINT8");
  bytes.mutable_inputs(0)->mutable_contents()->add_uint_contents(256);
  ExpectError(bytes, absl::StatusCode::kInvalidArgument, "holds 256, expected 0 to 255");
}

TEST(InferenceRequestTest, VersionsAreNumbersOrLabels) {
  EXPECT_EQ(ParseVersion("12").version, 12);
  EXPECT_EQ(ParseVersion("12").label, "");
  EXPECT_EQ(ParseVersion("canary").version, 0);
  EXPECT_EQ(ParseVersion("canary").label, "canary");
  EXPECT_EQ(ParseVersion("").version, 0);
  EXPECT_EQ(ParseVersion("-1").label, "-1");
}

TEST(InferenceRequestTest, ParametersChooseHowManyActivitiesStay) {
  inference::ModelInferRequest request = Request();
  request.add_raw_input_contents("12345678");
  (*request.mutable_parameters())["k"].set_int64_param(3);
  (*request.mutable_parameters())["timeout"].set_int64_param(100);
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  EXPECT_EQ(ConvertRequest(&request)->encode.options().k(), 3);
  request = Request();
  request.add_raw_input_contents("12345678");
  (*request.mutable_parameters())["alpha"].set_string_param("1.5");
  EXPECT_EQ(ConvertRequest(&request)->encode.options().alpha(), 1.5f);
  (*request.mutable_parameters())["alpha"].set_bool_param(true);
  ExpectError(request, absl::StatusCode::kInvalidArgument, "'alpha' is no number");
  request.mutable_parameters()->clear();
  (*request.mutable_parameters())["k"].set_string_param("5");
  EXPECT_EQ(ConvertParametersOf(request).k(), 5);
  for (const char* text : {"", "5.5", "five", "0", "-1", "5 6"}) {
    (*request.mutable_parameters())["k"].set_string_param(text);
    ExpectError(request, absl::StatusCode::kInvalidArgument, "'k' is no integer");
  }
  request.mutable_parameters()->clear();
  (*request.mutable_parameters())["k"].set_int64_param(int64_t{1} << 40);
  ExpectError(request, absl::StatusCode::kInvalidArgument, "'k' is no integer");
  request.mutable_parameters()->clear();
  (*request.mutable_parameters())["top"].set_int64_param(1);
  ExpectError(request, absl::StatusCode::kInvalidArgument,
              "parameter 'top' of the request is not known; expected 'k' or 'alpha'");
  request.mutable_parameters()->clear();
  (*request.mutable_parameters())["sequence_id"].set_int64_param(1);
  ExpectError(request, absl::StatusCode::kUnimplemented, "sequences");
}

TEST(InferenceRequestTest, WrongInputsAreNamed) {
  ExpectError({}, absl::StatusCode::kInvalidArgument, "inputs are none; expected one, 'input'");
  inference::ModelInferRequest request = Request();
  request.mutable_inputs(0)->set_name("x");
  ExpectError(request, absl::StatusCode::kInvalidArgument, "inputs are 'x'");
  ExpectError(Request(), absl::StatusCode::kInvalidArgument, "no elements");
  ExpectError(Request("FP16"), absl::StatusCode::kInvalidArgument, "raw_input_contents");
  ExpectError(Request("INT64"), absl::StatusCode::kInvalidArgument, "'INT64', expected FP32");
  request = Request();
  request.add_raw_input_contents("12345678");
  request.add_raw_input_contents("");
  ExpectError(request, absl::StatusCode::kInvalidArgument, "2 entries");
  request = Request();
  request.add_raw_input_contents("12345678");
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  ExpectError(request, absl::StatusCode::kInvalidArgument, "both set");
  request = Request();
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  ExpectError(request, absl::StatusCode::kUnimplemented, "shared memory");
}

TEST(InferenceRequestTest, OutputsAreChosenByName) {
  inference::ModelInferRequest request = Request();
  request.add_raw_input_contents("12345678");
  request.add_outputs()->set_name("values");
  request.add_outputs()->set_name("indices");
  inference::ModelInferRequest copy = request;
  const auto converted = ConvertRequest(&copy);
  EXPECT_THAT(converted->outputs, ElementsAre("values", "indices"));
  EXPECT_EQ(converted->encode.options().output(), v1::OUTPUT_MODE_SPARSE_CSR);
  request.add_outputs()->set_name("values");
  ExpectError(request, absl::StatusCode::kInvalidArgument, "asked for twice");
  request.mutable_outputs(2)->set_name("logits");
  ExpectError(request, absl::StatusCode::kInvalidArgument, "'logits' does not exist; expected 'features'");
  request.mutable_outputs(2)->set_name("features");
}

TEST(InferenceRequestTest, FeaturesAreToldAsClassesWhereThatIsAskedFor) {
  inference::ModelInferRequest request = Request();
  request.add_raw_input_contents("12345678");
  request.add_outputs()->set_name("features");
  auto& parameter = (*request.mutable_outputs(0)->mutable_parameters())["classification"];
  parameter.set_int64_param(3);
  inference::ModelInferRequest copy = request;
  const auto converted = ConvertRequest(&copy);
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->classes, 3);
  EXPECT_EQ(converted->encode.options().output(), v1::OUTPUT_MODE_SPARSE_CSR) << "the answer holds no dense codes";
  parameter.set_int64_param(0);
  ExpectError(request, absl::StatusCode::kInvalidArgument, "'classification' of output 'features' is no integer");
  parameter.set_int64_param(1);
  request.mutable_outputs(0)->set_name("values");
  ExpectError(request, absl::StatusCode::kInvalidArgument,
              "'values' has no classes; ask for the classes of 'features'");
}

TEST(InferenceRequestTest, SayWhatBecomesOfElementsThatAreNotFinite) {
  inference::ModelInferRequest request = Request();
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  inference::ModelInferRequest copy = request;
  EXPECT_EQ(ConvertRequest(&copy)->encode.options().non_finite(), v1::NON_FINITE_UNSPECIFIED);
  inference::InferParameter& parameter = (*request.mutable_parameters())["non_finite"];
  parameter.set_string_param("zero");
  copy = request;
  EXPECT_EQ(ConvertRequest(&copy)->encode.options().non_finite(), v1::NON_FINITE_ZERO);
  parameter.set_string_param("refuse");
  copy = request;
  EXPECT_EQ(ConvertRequest(&copy)->encode.options().non_finite(), v1::NON_FINITE_REFUSE);
  parameter.set_string_param("nan");
  ExpectError(request, absl::StatusCode::kInvalidArgument, "'non_finite' is neither 'zero' nor 'refuse'");
  parameter.set_bool_param(true);
  ExpectError(request, absl::StatusCode::kInvalidArgument, "'non_finite' is neither 'zero' nor 'refuse'");
}

TEST(InferenceRequestTest, UnknownParametersAreErrors) {
  inference::ModelInferRequest request = Request();
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  inference::ModelInferRequest misspelt = request;
  (*misspelt.mutable_parameters())["alhpa"].set_double_param(1);
  ExpectError(misspelt, absl::StatusCode::kInvalidArgument,
              "parameter 'alhpa' of the request is not known; did you mean 'alpha'?");
  inference::ModelInferRequest strange = request;
  (*strange.mutable_parameters())["temperature"].set_double_param(1);
  ExpectError(strange, absl::StatusCode::kInvalidArgument, "expected 'k' or 'alpha'");
  inference::ModelInferRequest input = request;
  (*input.mutable_inputs(0)->mutable_parameters())["scale"].set_double_param(1);
  ExpectError(input, absl::StatusCode::kInvalidArgument, "parameter 'scale' of tensor 'input' is not known");
  inference::ModelInferRequest output = request;
  output.add_outputs()->set_name("features");
  (*output.mutable_outputs(0)->mutable_parameters())["clasification"].set_int64_param(1);
  ExpectError(output, absl::StatusCode::kInvalidArgument, "did you mean 'classification'?");
}

}  // namespace
}  // namespace kwta::server
