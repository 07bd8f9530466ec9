// Implements the calls about data sets, without the transport. Also guards data sets against deletion while jobs need
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "kwta/v1/service.pb.h"
#include "server/jobs/job_journal.h"

namespace kwta::server {

// Thread-safe. ListDatasets, GetDataset and DeleteDataset implement the calls of their names; service.proto says what
// they do. All methods read files.
class DatasetHandler {
 public:
  // Data sets are searched in `directories`, of which the first is the server's own. REQUIRES: `directories` is not
  // empty; the journal outlives the handler.
  DatasetHandler(JobJournal* journal, std::vector<std::string> directories)
      : journal_(journal), directories_(std::move(directories)) {}

  // Makes the quick checks of a data set that a job names. Reading the rows may take long and is left to the trainer.
  // Result and errors: those of CheckDataset.
  absl::StatusOr<std::optional<int64_t>> CheckIsUsable(const v1::DatasetRef& dataset) const;
  // Hold this shared from CheckIsUsable until the job is stored. Nothing is deleted meanwhile.
  absl::Mutex& submissions() ABSL_LOCK_RETURNED(submissions_) { return submissions_; }

  absl::StatusOr<v1::ListDatasetsResponse> ListDatasets(const v1::ListDatasetsRequest& request);
  absl::StatusOr<v1::GetDatasetResponse> GetDataset(const v1::GetDatasetRequest& request);
  absl::StatusOr<v1::DeleteDatasetResponse> DeleteDataset(const v1::DeleteDatasetRequest& request);

 private:
  // Where a data set lies.
  struct Place {
    std::string root;  // one of directories_, or the system's
    std::string path;  // of its file or folder, as named: links are not followed
  };
  // A job that has not ended, and where the files of its data set lie: as named, and with links followed.
  struct Use {
    std::string job;
    std::string path;
    std::string resolved;
  };

  v1::DatasetOrigin OriginOf(const Place& place) const;
  // Errors: those of LoadDataset for references and files that are not there.
  absl::StatusOr<Place> Locate(const v1::DatasetRef& dataset) const;
  // Leaves out jobs whose data set is not there: they fail without anybody's help. Errors: those of the job store.
  absl::StatusOr<std::vector<Use>> UsesNow() const;
  static std::vector<std::string> JobsAt(const Place& place, const std::vector<Use>& uses);
  v1::DatasetInfo Describe(const v1::DatasetRef& dataset, const Place& place, const std::vector<Use>& uses) const;
  // Everything that ListDatasets may return, in order.
  std::vector<v1::DatasetRef> AllDatasets() const;

  JobJournal* const journal_;
  const std::vector<std::string> directories_;
  absl::Mutex submissions_;
};

}  // namespace kwta::server
