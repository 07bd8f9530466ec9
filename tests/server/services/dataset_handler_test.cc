#include "server/services/dataset_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "server/jobs/job_events.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/services/dataset_upload.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// An idx file of two rows of three bytes.
const std::string kTwoRows("\0\0\x08\x02\0\0\0\2\0\0\0\3abcdef", 18);

class DatasetHandlerTest : public ::testing::Test {
 protected:
  DatasetHandlerTest() {
    fs::create_directory(directory_.File("own"));
    fs::create_directory(directory_.File("more"));
  }

  static v1::DatasetRef Ref(const std::string& path) {
    v1::DatasetRef ref;
    ref.set_path(path);
    return ref;
  }
  absl::StatusOr<v1::DeleteDatasetResponse> Delete(const v1::DatasetRef& ref) {
    v1::DeleteDatasetRequest request;
    *request.mutable_dataset() = ref;
    return handler_.DeleteDataset(request);
  }
  absl::StatusOr<v1::DatasetInfo> Get(const v1::DatasetRef& ref) {
    v1::GetDatasetRequest request;
    *request.mutable_dataset() = ref;
    const auto response = handler_.GetDataset(request);
    if (!response.ok()) return response.status();
    return response->dataset();
  }
  // The paths that ListDatasets returns. Named data sets depend on what the system has.
  std::vector<std::string> Paths() {
    std::vector<std::string> paths;
    const auto listed = handler_.ListDatasets({});
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const v1::DatasetInfo& info : listed->datasets()) {
      if (info.dataset().has_path()) paths.push_back(info.dataset().path());
    }
    return paths;
  }
  void ExpectRefused(const v1::DatasetRef& ref, absl::StatusCode code, const std::string& text) {
    const absl::Status status = Delete(ref).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
  void Submit(const std::string& id, const v1::DatasetRef& ref) {
    v1::JobSpec spec;
    *spec.mutable_dataset() = ref;
    ASSERT_TRUE(store_->Create(id, spec, absl::UnixEpoch()).ok());
  }
  void End(const std::string& id) {
    ASSERT_TRUE(store_->Append(id, StateEvent(v1::JOB_STATE_CANCELLED, absl::UnixEpoch())).ok());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<JobStore> store_ = OpenSqliteJobStore(directory_.File("kwta.db")).value();
  JobJournal journal_{store_.get(), {}};
  DatasetHandler handler_{&journal_, {directory_.File("own"), directory_.File("more")}};
};

TEST_F(DatasetHandlerTest, ListsWhatJobsCanName) {
  directory_.Write("own/a.idx", kTwoRows);
  directory_.Write("own/notes.txt", "");
  directory_.Write("own/.upload-x/c.idx", kTwoRows);
  directory_.Write("own/docs/readme.txt", "");
  directory_.Write("own/pets/cat/1.png", "");
  directory_.Write("own/v1.0/cat/1.png", "");
  directory_.Write("more/b.idx", kTwoRows);
  directory_.Write("more/a.idx", "hidden by the one in the first directory");
  EXPECT_THAT(Paths(), ElementsAre("a.idx", "b.idx", "pets/", "v1.0/"));
  const auto a = Get(Ref("a.idx")), b = Get(Ref("b.idx")), pets = Get(Ref("pets/"));
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(a->origin(), v1::DATASET_ORIGIN_OWN);
  EXPECT_EQ(a->rows(), 2);
  EXPECT_EQ(a->bytes(), kTwoRows.size());
  EXPECT_THAT(a->row_shape(), ElementsAre(3));
  EXPECT_EQ(a->element_type(), "u8");
  EXPECT_GT(a->changed().seconds(), 0);
  EXPECT_EQ(b->origin(), v1::DATASET_ORIGIN_DIRECTORY);
  EXPECT_EQ(pets->classes(), 1);
}

TEST_F(DatasetHandlerTest, ListsNamedOnesByTheirNames) {
  directory_.Write("own/cifar10/data_batch_1.bin", std::string(3073, '\1'));
  for (int i = 2; i <= 5; ++i) {
    directory_.Write("own/cifar10/data_batch_" + std::to_string(i) + ".bin", std::string(3073, '\1'));
  }
  directory_.Write("own/cifar10/test_batch.bin", std::string(2 * 3073, '\1'));
  EXPECT_THAT(Paths(), IsEmpty());
  v1::DatasetRef cifar;
  cifar.set_name("cifar10");
  const auto info = Get(cifar);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->rows(), 5);
  EXPECT_EQ(info->test_rows(), 2);
  EXPECT_EQ(info->classes(), 10);
  EXPECT_EQ(info->bytes(), 7 * 3073);
  EXPECT_TRUE(Delete(cifar).ok());
  EXPECT_FALSE(fs::exists(directory_.File("own/cifar10")));
}

TEST_F(DatasetHandlerTest, SaysWhatIsWrongWithOne) {
  directory_.Write("own/a.npy", "x");
  const auto info = Get(Ref("a.npy"));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->failure().code(), static_cast<int>(absl::StatusCode::kDataLoss));
  EXPECT_EQ(Get(Ref("b.npy")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Get(Ref("../a.npy")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Get({}).status().code(), absl::StatusCode::kInvalidArgument);
  directory_.Write("own/caf\xe9.npy", "x");
  EXPECT_THAT(Paths(), ElementsAre("a.npy", "caf\xEF\xBF\xBD.npy"));
}

TEST_F(DatasetHandlerTest, BoundsTheList) {
  for (int i = 0; i < 3; ++i) directory_.Write("own/" + std::to_string(i) + ".idx", kTwoRows);
  v1::ListDatasetsRequest request;
  request.set_limit(1);
  const auto listed = handler_.ListDatasets(request);
  EXPECT_EQ(listed->datasets_size(), 1);
  EXPECT_TRUE(listed->more());
  request.set_limit(1'000'000);
  EXPECT_FALSE(handler_.ListDatasets(request)->more());
}

TEST_F(DatasetHandlerTest, DeletesFilesAndFoldersOfItsOwn) {
  directory_.Write("own/a.idx", kTwoRows);
  directory_.Write("own/pets/cat/1.png", "12345");
  EXPECT_EQ(Delete(Ref("a.idx"))->bytes(), kTwoRows.size());
  EXPECT_EQ(Delete(Ref("pets/"))->bytes(), 5);
  EXPECT_TRUE(fs::is_empty(directory_.File("own")));
  ExpectRefused(Ref("a.idx"), absl::StatusCode::kNotFound, "'a.idx' was not found");
}

TEST_F(DatasetHandlerTest, DeletesNothingElse) {
  directory_.Write("more/b.idx", kTwoRows);
  directory_.Write("own/a/cat/1.png", "");
  ExpectRefused(Ref("b.idx"), absl::StatusCode::kFailedPrecondition,
                "deletes only what lies in its own data directory");
  for (const char* path : {"./", ".", "a/.."}) {
    EXPECT_EQ(Delete(Ref(path)).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_TRUE(fs::exists(directory_.File("more/b.idx")));
  // Of a link it deletes the link.
  directory_.Write("own/c.idx", kTwoRows);
  fs::create_symlink("c.idx", directory_.File("own/link.idx"));
  EXPECT_TRUE(Delete(Ref("link.idx")).ok());
  EXPECT_TRUE(fs::exists(directory_.File("own/c.idx")));
  fs::create_symlink(directory_.File("more/b.idx"), directory_.File("own/out.idx"));
  EXPECT_EQ(Delete(Ref("out.idx")).status().code(), absl::StatusCode::kInvalidArgument) << "it leads out";
}

TEST_F(DatasetHandlerTest, KeepsWhatAJobNeeds) {
  directory_.Write("own/a.idx", kTwoRows);
  directory_.Write("own/pets/cat/1.png", "");
  fs::create_symlink("a.idx", directory_.File("own/link.idx"));
  Submit("j1", Ref("./a.idx"));
  Submit("j2", Ref("link.idx"));
  Submit("j3", Ref("pets/"));
  Submit("j4", Ref("gone.idx"));
  EXPECT_THAT(Get(Ref("a.idx"))->jobs(), ::testing::UnorderedElementsAre("j1", "j2"));
  ExpectRefused(Ref("a.idx"), absl::StatusCode::kFailedPrecondition, "and 1 more, which has not ended");
  ExpectRefused(Ref("link.idx"), absl::StatusCode::kFailedPrecondition, "is needed by job");
  ExpectRefused(Ref("pets/"), absl::StatusCode::kFailedPrecondition, "is needed by job 'j3'");
  for (const char* job : {"j1", "j2", "j3"}) End(job);
  EXPECT_TRUE(Delete(Ref("link.idx")).ok());
  EXPECT_TRUE(Delete(Ref("a.idx")).ok());
  EXPECT_TRUE(Delete(Ref("pets/")).ok());
  // A job on everything needs everything.
  directory_.Write("own/a.idx", kTwoRows);
  directory_.Write("own/cat/1.png", "");
  Submit("j5", Ref("./"));
  ExpectRefused(Ref("a.idx"), absl::StatusCode::kFailedPrecondition, "is needed by job 'j5'");
}

TEST_F(DatasetHandlerTest, ADeletionThatWasInterruptedIsFinishedAtTheStart) {
  const auto temporary = DatasetUpload::MakeTemporary(directory_.File("own"));
  ASSERT_TRUE(temporary.ok()) << temporary.status();
  fs::create_directory(*temporary + "/deleted");
  EXPECT_THAT(Paths(), IsEmpty());
  DatasetUpload::Clean(directory_.File("own"));
  EXPECT_TRUE(fs::is_empty(directory_.File("own")));
}

}  // namespace
}  // namespace kwta::server
