// One call of UploadDataset.
#include <memory>
#include <utility>

#include "core/base/status_macros.h"
#include "server/services/dataset_upload.h"
#include "server/services/grpc/encoder_calls.h"

namespace kwta::server {
namespace {

// Reads a message once the one before is in the file. Threads for slow calls do what touches the disk.
class UploadCall final : public ServedCall {
 public:
  UploadCall(std::unique_ptr<IncomingCall> incoming, const UploadParts* parts)
      : ServedCall(std::move(incoming)),
        parts_(*parts),
        call_(parts->site->pipeline, &methods::kUploadDataset, &transport()) {}

  void Begin() override {
    const absl::Status admitted = call_.Admit();
    if (!admitted.ok()) return End(admitted);
    ReadNext();
  }

 private:
  void ReadNext() {
    body_.Start(parts_.site->bodies);
    Read();
  }

  void OnRead(grpc::ByteBuffer* bytes) override {
    body_.Stop();
    const bool more = bytes != nullptr;
    if (more) {
      const absl::Status parsed = Parse(bytes, &message_);
      if (!parsed.ok()) return End(parsed);
    }
    if (upload_ != nullptr && more) {
      const absl::Status allowed = call_.AllowMessage();
      if (!allowed.ok()) return End(allowed);
    }
    // gRPC ends the reading of a caller that went away as it ends that of a caller that has sent everything.
    if (!more && transport().Cancelled()) return End(absl::CancelledError("the caller went away"));
    const absl::Status taken = parts_.site->slow->Run(call_.caller(), [this, more] {
      done_ = more ? Take() : Complete();
      loop().Post([this, more] {
        if (done_.ok() && more) return ReadNext();
        End(done_);
      });
    });
    if (!taken.ok()) End(taken);
  }

  absl::Status Take() {
    if (upload_ == nullptr) {
      if (!message_.has_header()) return NoHeader();
      KWTA_ASSIGN_OR_RETURN(upload_, DatasetUpload::Begin(message_.header(), parts_.directory, parts_.max_bytes));
      return absl::OkStatus();
    }
    if (message_.part_case() != v1::UploadDatasetRequest::kChunk) {
      return absl::InvalidArgumentError("every message of an upload after its header must be a chunk");
    }
    return upload_->Append(message_.chunk());
  }

  absl::Status Complete() {
    if (upload_ == nullptr) return NoHeader();
    KWTA_ASSIGN_OR_RETURN(const v1::UploadDatasetResponse response, upload_->Finish());
    return SerializeMessage(response, &answer_);
  }

  static absl::Status NoHeader() {
    return absl::InvalidArgumentError("the first message of an upload must be its header");
  }

  void End(const absl::Status& status) {
    body_.Stop();
    upload_.reset();  // removes what is not complete
    call_.Finish(status);
    if (status.ok()) {
      WriteAndFinish(answer_);
    } else {
      Finish(status);
    }
  }

  const UploadParts& parts_;
  Call call_;
  v1::UploadDatasetRequest message_;
  std::unique_ptr<DatasetUpload> upload_;
  absl::Status done_;        // of the work on a thread
  grpc::ByteBuffer answer_;  // once the upload is complete
  TimeoutList::Entry body_{[this] { End(BodyTimeoutError(*parts_.site->bodies)); }};
};

}  // namespace

void ServeUploadDataset(std::unique_ptr<IncomingCall> incoming, const UploadParts* parts) {
  (new UploadCall(std::move(incoming), parts))->Begin();
}

}  // namespace kwta::server
