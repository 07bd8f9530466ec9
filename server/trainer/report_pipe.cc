#include "server/trainer/report_pipe.h"

#include <string>

#include "core/base/utf8.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace kwta::server {

bool ReportPipe::Send(const v1::TrainerReport& report) {
  if (!broken_) broken_ = !google::protobuf::util::SerializeDelimitedToFileDescriptor(report, descriptor_);
  return !broken_;
}

bool ReportPipe::SendEnd(const absl::Status& status) {
  v1::TrainerReport report;
  if (absl::IsCancelled(status)) {
    report.set_interrupted(true);
  } else {
    report.mutable_failed()->set_code(static_cast<int>(status.code()));
    report.mutable_failed()->set_message(ToUtf8(status.message()));
  }
  return Send(report);
}

}  // namespace kwta::server
