// The calls of kwta.v1.EncoderService that are more than one request and one answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "server/services/encode_handler.h"
#include "server/services/grpc/served_call.h"
#include "server/services/grpc/unary_call.h"
#include "server/services/job_handler.h"

namespace kwta::server {

// What streams depend on. REQUIRES, here and below: all of it outlives the loop's Finish.
struct EncodeStreamParts {
  EncodeHandler* handler = nullptr;
  const CallPipeline* pipeline = nullptr;
  int max_stream_messages = 256;       // in flight on one stream
  int64_t max_stream_bytes = 1 << 26;  // the same limit in bytes of messages and their answers
};
void ServeEncodeStream(std::unique_ptr<IncomingCall> incoming, const EncodeStreamParts* parts);

// The calls of WatchJob. No thread waits for a job: the journal says when there is news.
class JobWatchers {
 public:
  JobWatchers(JobHandler* handler, const CallSite* site) : handler_(*handler), site_(*site) {}
  JobWatchers(const JobWatchers&) = delete;
  JobWatchers& operator=(const JobWatchers&) = delete;

  void Serve(std::unique_ptr<IncomingCall> incoming);
  // Ends the calls whose caller may not go on. Call it now and then, on the loop's thread.
  void CheckCallers();

 private:
  class WatchCall;

  JobHandler& handler_;
  const CallSite& site_;
  std::set<WatchCall*> watching_;  // used on the loop's thread
};

// Where uploads go.
struct UploadParts {
  const CallSite* site = nullptr;
  std::string directory;
  int64_t max_bytes = 0;
};
void ServeUploadDataset(std::unique_ptr<IncomingCall> incoming, const UploadParts* parts);

}  // namespace kwta::server
