#include "server/security/certificates.h"

#include <utility>

#include "core/base/status_macros.h"

namespace kwta::server {

Certificates::Certificates(TlsFiles files, Events events, std::function<absl::Time()> now)
    : files_(std::move(files)), events_(std::move(events)), now_(std::move(now)) {}

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Open(TlsFiles files, Events events,
                                                                 std::function<absl::Time()> now) {
  std::unique_ptr<Certificates> certificates(new Certificates(std::move(files), std::move(events), std::move(now)));
  absl::MutexLock lock(&certificates->mutex_);
  KWTA_RETURN_IF_ERROR(certificates->Look());
  return certificates;
}

absl::Status Certificates::Look() {
  next_look_ = SteadyTime::Now() + absl::Seconds(files_.reload_seconds);
  KWTA_ASSIGN_OR_RETURN(TlsTexts texts, ReadTlsFiles(files_));
  if (texts_ != nullptr && texts == *texts_) return absl::OkStatus();
  KWTA_ASSIGN_OR_RETURN(const absl::Time expires, CheckTlsTexts(files_, texts, now_()));
  texts_ = std::make_shared<const TlsTexts>(std::move(texts));
  if (events_.taken) events_.taken(expires);
  return absl::OkStatus();
}

std::shared_ptr<const TlsTexts> Certificates::Current() {
  absl::MutexLock lock(&mutex_);
  if (SteadyTime::Now() >= next_look_) {
    const absl::Status status = Look();
    if (status != last_look_ && events_.looked) events_.looked(status);
    last_look_ = status;
  }
  return texts_;
}

}  // namespace kwta::server
