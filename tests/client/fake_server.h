// An EncoderService in this process, for what a client must put up with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {

// Listens on a free port of 127.0.0.1. Codes are made up: row r of bytes, with first byte b, has the k units
// (b + 0) % 16, (b + 1) % 16, ... in ascending order, unit u with the value b + u / 100. Thread-safe.
class FakeServer {
 public:
  static constexpr int kUnits = 16;
  static constexpr int kDefaultK = 3;

  explicit FakeServer(int max_message_bytes = 4 << 20);
  ~FakeServer();

  std::string address() const;

  // The next calls, whatever they are, fail with these statuses in turn.
  void FailNext(std::vector<absl::Status> failures);
  // Streams break with UNAVAILABLE after so many answers or events; 0: never.
  void BreakStreamsAfter(int messages);
  // Calls wait until the server is destroyed.
  void Hang();
  // The next so many Encodes wait until they are cancelled.
  void HangEncodes(int calls);
  // Returns when one of them was.
  void AwaitCancelled();
  // The job that Train, ListJobs and WatchJob know, and its events.
  void SetJob(v1::Job job, std::vector<v1::JobEvent> events);

  // Fires when WatchJob was called.
  void AwaitWatch() { watched_.WaitForNotification(); }

  std::vector<v1::EncodeRequest> encode_requests() const;
  std::vector<v1::TrainRequest> train_requests() const;
  // after_sequence of each WatchJob.
  std::vector<uint64_t> watches() const;
  int calls() const;
  v1::UploadDatasetHeader upload_header() const;
  std::string uploaded() const;

 private:
  class Service;

  // What a call starts with: it is counted, and may be told to fail or to wait.
  absl::Status Begin();
  v1::EncodeResponse Encode(const v1::EncodeRequest& request);

  mutable absl::Mutex mutex_;
  std::vector<absl::Status> failures_ ABSL_GUARDED_BY(mutex_);
  int break_after_ ABSL_GUARDED_BY(mutex_) = 0;
  bool hang_ ABSL_GUARDED_BY(mutex_) = false;
  int encodes_to_hang_ ABSL_GUARDED_BY(mutex_) = 0;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  // A request for version 0 raises it, as if a new model had been published in between.
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 6;
  v1::Job job_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::JobEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::EncodeRequest> encode_requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::TrainRequest> train_requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> watches_ ABSL_GUARDED_BY(mutex_);
  v1::UploadDatasetHeader upload_header_ ABSL_GUARDED_BY(mutex_);
  std::string uploaded_ ABSL_GUARDED_BY(mutex_);
  absl::Notification released_;
  absl::Notification watched_;
  absl::Notification cancelled_;
  std::unique_ptr<Service> service_;
};

}  // namespace kwta::client
