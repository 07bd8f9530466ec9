#include "server/services/grpc/reflection_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "server/services/grpc/reflection_answer.h"

namespace kwta::server {
namespace {

constexpr char kReflectionMethod[] = "ServerReflectionInfo";
constexpr int kMostStreams = 256;
constexpr int kMostStreamsOfAHost = 64;
constexpr absl::Duration kLongestSilence = absl::Seconds(60);
// Names are short.
constexpr size_t kLargestQuestion = 1 << 14;

}  // namespace

// Reads a question once the one before is answered.
class ReflectionService::Stream final : public ServedCall {
 public:
  Stream(std::unique_ptr<IncomingCall> incoming, ReflectionService* service)
      : ServedCall(std::move(incoming)),
        service_(*service),
        host_(transport().Peer()),
        place_(service->streams_.Take(host_)),
        call_(service->site_.pipeline, &methods::kReflection, &transport()) {}

  void Begin() override {
    if (!place_.ok()) return End(place_.status());
    small_ = service_.site_.ExpectSmall(transport());
    ReadNext();
  }

 private:
  void ReadNext() {
    silence_.Start(&service_.idle_);
    Read();
  }

  void OnRead(grpc::ByteBuffer* bytes) override {
    silence_.Stop();
    if (bytes == nullptr) return End(absl::OkStatus());
    const absl::Status taken = bytes->Length() <= kLargestQuestion
                                   ? Parse(bytes, &question_)
                                   : absl::InvalidArgumentError(absl::StrCat("the question has ", bytes->Length(),
                                                                             " bytes, more than ", kLargestQuestion));
    bytes->Clear();
    if (!taken.ok()) return End(taken);
    const absl::Status runs = service_.site_.quick->Run(host_, [this] {
      // v1alpha has the same messages, but for the package.
      made_ = SerializeMessage(AnswerReflection(question_, service_.table_.Services()), &answer_);
      loop().Post([this] {
        if (!made_.ok()) return End(made_);
        Write(answer_);
        answer_.Clear();
      });
    });
    if (!runs.ok()) End(runs);
  }

  void OnWritten(bool ok) override {
    if (!ok) return End(absl::CancelledError("the caller went away"));
    ReadNext();
  }

  void End(const absl::Status& status) {
    silence_.Stop();
    call_.Finish(status);
    Finish(status);
  }

  ReflectionService& service_;
  const std::string host_;
  const absl::StatusOr<OpenCalls::Place> place_;
  std::shared_ptr<void> small_;
  Call call_;
  grpc::reflection::v1::ServerReflectionRequest question_;
  absl::Status made_;  // the answer
  grpc::ByteBuffer answer_;
  TimeoutList::Entry silence_{[this] {
    End(absl::DeadlineExceededError(
        absl::StrCat("the stream asked nothing for ", absl::FormatDuration(kLongestSilence), "; open another")));
  }};
};

ReflectionService::ReflectionService(const MethodTable* table, const CallSite* site)
    : table_(*table),
      site_(*site),
      streams_({"reflection streams", kMostStreams, kMostStreamsOfAHost, ""}),
      idle_(kLongestSilence) {}

void ReflectionService::AddTo(MethodTable* table) {
  // These also make sure that the program keeps both descriptions.
  for (const auto* message : {grpc::reflection::v1::ServerReflectionRequest::descriptor(),
                              grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()}) {
    table->AddCalls<Stream>(message->file()->service(0)->full_name(), kReflectionMethod, this);
  }
  site_.loop->EverySecond([this] { idle_.Expire(); });
}

}  // namespace kwta::server
