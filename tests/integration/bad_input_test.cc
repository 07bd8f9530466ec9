// Bad input over the wire: each gets its precise status and a message that helps, and the server goes on serving.

#include <filesystem>
#include <fstream>
#include <limits>

#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

class BadInput : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    state_ = new std::string(MakeTemporaryDirectory());
    server_ = new ServerProcess(*state_);
    ASSERT_TRUE(server_->ready()) << server_->log();
    ASSERT_EQ(TrainToEnd(server_->stub(), SmallJob("fashion", 1)).state(), v1::JOB_STATE_SUCCEEDED) << server_->log();
  }
  static void TearDownTestSuite() {
    delete server_;
    delete state_;
  }
  // Whatever a test did, the server must still encode.
  void TearDown() override {
    v1::EncodeResponse response;
    const grpc::Status status = Encode(server_->stub(), EncodeImages("fashion", 2), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  static void ExpectEncodeError(const v1::EncodeRequest& request, grpc::StatusCode code,
                                const std::vector<std::string>& parts) {
    v1::EncodeResponse response;
    ExpectError(Encode(server_->stub(), request, &response), code, parts);
  }
  static void ExpectTrainError(const v1::TrainRequest& request, grpc::StatusCode code,
                               const std::vector<std::string>& parts) {
    grpc::ClientContext context;
    v1::TrainResponse response;
    ExpectError(server_->stub().Train(&context, request, &response), code, parts);
  }
  // A job that is accepted and then fails.
  static void ExpectJobFails(const v1::TrainRequest& request, grpc::StatusCode code,
                             const std::vector<std::string>& parts) {
    const v1::Job job = TrainToEnd(server_->stub(), request);
    EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
    ExpectError(grpc::Status(static_cast<grpc::StatusCode>(job.error().code()), job.error().message()), code, parts);
  }
  static void ExpectError(const grpc::Status& status, grpc::StatusCode code, const std::vector<std::string>& parts) {
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    for (const std::string& part : parts) {
      EXPECT_NE(status.error_message().find(part), std::string::npos)
          << "'" << part << "' is not in: " << status.error_message();
    }
  }
  static void WriteDataFile(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(*state_ + "/datasets");
    std::ofstream(*state_ + "/datasets/" + name, std::ios::binary) << bytes;
  }
  static v1::TrainRequest JobOnFile(const std::string& path) {
    v1::TrainRequest request = SmallJob("other", 1);
    request.mutable_spec()->mutable_dataset()->set_path(path);
    request.mutable_spec()->mutable_dataset()->set_max_rows(0);
    return request;
  }

  static std::string* state_;
  static ServerProcess* server_;
};
std::string* BadInput::state_ = nullptr;
ServerProcess* BadInput::server_ = nullptr;

v1::EncodeRequest FloatRow(int width, float value) {
  v1::EncodeRequest request;
  request.set_model("fashion");
  request.mutable_input()->add_shape(1);
  request.mutable_input()->add_shape(width);
  for (int i = 0; i < width; ++i) request.mutable_input()->add_floats(i == width - 1 ? value : 0.5f);
  return request;
}

TEST_F(BadInput, WrongWidth) {
  ExpectEncodeError(FloatRow(783, 0), grpc::StatusCode::INVALID_ARGUMENT, {"783", "784"});
}

TEST_F(BadInput, NonFiniteElements) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ExpectEncodeError(FloatRow(784, value), grpc::StatusCode::INVALID_ARGUMENT, {"783", "finite"});
  }
}

TEST_F(BadInput, NoRows) {
  v1::EncodeRequest request;
  request.set_model("fashion");
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"input"});
  request.mutable_input()->add_shape(0);
  request.mutable_input()->add_shape(784);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"row"});
}

TEST_F(BadInput, ShapesThatDoNotFitTheBytes) {
  v1::EncodeRequest request = EncodeImages("fashion", 1);
  request.mutable_input()->set_shape(0, 2);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"784", "1568"});
  request.mutable_input()->set_shape(0, int64_t{1} << 62);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"shape"});
  request.mutable_input()->set_shape(0, -1);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"-1"});
}

TEST_F(BadInput, KOutOfRange) {
  v1::EncodeRequest request = EncodeImages("fashion", 1);
  request.mutable_options()->set_k(65);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"65", "64"});
  request.mutable_options()->set_k(0);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"k"});
  request.mutable_options()->clear_k();
  request.mutable_options()->set_alpha(100);
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"alpha"});
  request.mutable_options()->set_alpha(std::numeric_limits<float>::quiet_NaN());
  ExpectEncodeError(request, grpc::StatusCode::INVALID_ARGUMENT, {"alpha"});
}

TEST_F(BadInput, UnknownModelAndVersion) {
  ExpectEncodeError(EncodeImages("nobody", 1), grpc::StatusCode::NOT_FOUND, {"nobody"});
  v1::EncodeRequest request = EncodeImages("fashion", 1);
  request.set_version(9);
  ExpectEncodeError(request, grpc::StatusCode::NOT_FOUND, {"fashion", "9"});
}

TEST_F(BadInput, TrainingSpecs) {
  v1::TrainRequest request = SmallJob("other");
  request.mutable_spec()->mutable_encoder()->mutable_k_sparse()->set_k(65);
  ExpectTrainError(request, grpc::StatusCode::INVALID_ARGUMENT, {"65", "64"});
  request = SmallJob("other");
  request.mutable_spec()->clear_encoder();
  ExpectTrainError(request, grpc::StatusCode::INVALID_ARGUMENT, {"encoder", "k-sparse"});
  request = SmallJob("../other");
  ExpectTrainError(request, grpc::StatusCode::INVALID_ARGUMENT, {"model"});
  request = SmallJob("other");
  request.mutable_spec()->mutable_training()->set_momentum(1);
  ExpectTrainError(request, grpc::StatusCode::INVALID_ARGUMENT, {"momentum"});
  request = SmallJob("other");
  request.mutable_spec()->mutable_dataset()->set_name("imagenet");
  ExpectTrainError(request, grpc::StatusCode::NOT_FOUND, {"imagenet", "fashion-mnist"});
}

TEST_F(BadInput, PathsOutsideTheDataDirectory) {
  for (const char* path : {"../kwta.db", "/etc/passwd", "a/../../kwta.db"}) {
    ExpectTrainError(JobOnFile(path), grpc::StatusCode::INVALID_ARGUMENT, {path});
  }
  std::filesystem::create_directories(*state_ + "/datasets");
  std::filesystem::create_symlink("/etc/passwd", *state_ + "/datasets/link.npy");
  ExpectTrainError(JobOnFile("link.npy"), grpc::StatusCode::INVALID_ARGUMENT, {"link.npy", "symbolic link"});
}

TEST_F(BadInput, FilesThatAreMissingCutShortOrHostile) {
  ExpectTrainError(JobOnFile("missing.npy"), grpc::StatusCode::NOT_FOUND, {"missing.npy"});
  const std::string whole = ReadWholeFile(KWTA_TEST_DATA "/datasets/fashion-mnist/train-images-idx3-ubyte.gz");
  ASSERT_GT(whole.size(), 10000u);
  WriteDataFile("cut.idx.gz", whole.substr(0, whole.size() / 2));
  ExpectJobFails(JobOnFile("cut.idx.gz"), grpc::StatusCode::DATA_LOSS, {"cut.idx.gz"});
  // Two dimensions of 2^32 - 1: the product of the extents overflows.
  WriteDataFile("huge.idx", std::string("\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", 12));
  ExpectJobFails(JobOnFile("huge.idx"), grpc::StatusCode::DATA_LOSS, {"huge.idx"});
  WriteDataFile("hostile.npy", std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12));
  ExpectJobFails(JobOnFile("hostile.npy"), grpc::StatusCode::DATA_LOSS, {"hostile.npy"});
}

TEST_F(BadInput, MessagesThatAreTooLarge) {
  v1::EncodeRequest request = EncodeImages("fashion", 1);
  request.mutable_input()->mutable_raw()->resize(size_t{70} << 20);
  ExpectEncodeError(request, grpc::StatusCode::RESOURCE_EXHAUSTED, {});
}

TEST_F(BadInput, DeadlinesThatHavePassed) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::EncodeResponse response;
  EXPECT_EQ(server_->stub().Encode(&context, EncodeImages("fashion", 1), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(BadInput, UploadsAreCheckedAndLeaveNothingBehind) {
  const auto upload = [](const std::string& name, const std::string& bytes, uint64_t claimed, const std::string& hash) {
    grpc::ClientContext context;
    v1::UploadDatasetResponse response;
    const auto writer = server_->stub().UploadDataset(&context, &response);
    v1::UploadDatasetRequest part;
    part.mutable_header()->set_path(name);
    part.mutable_header()->set_bytes(claimed);
    part.mutable_header()->set_sha256(hash);
    writer->Write(part);
    part.set_chunk(bytes);
    writer->Write(part);
    writer->WritesDone();
    return writer->Finish();
  };
  const std::string wrong_hash(32, '\0');
  ExpectError(upload("up.npy", "abc", 3, wrong_hash), grpc::StatusCode::DATA_LOSS, {"SHA-256"});
  ExpectError(upload("../up.npy", "abc", 3, wrong_hash), grpc::StatusCode::INVALID_ARGUMENT, {"up.npy"});
  ExpectError(upload("up.exe", "abc", 3, wrong_hash), grpc::StatusCode::INVALID_ARGUMENT, {".npy"});
  EXPECT_FALSE(std::filesystem::exists(*state_ + "/datasets/up.npy"));
}

}  // namespace
}  // namespace kwta::testing
