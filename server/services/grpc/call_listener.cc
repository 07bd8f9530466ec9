#include "server/services/grpc/call_listener.h"

#include "absl/strings/str_cat.h"
#include "server/services/unserved_text.h"

namespace kwta::server {
namespace {

// How many calls may arrive before the loop handles the first of them.
constexpr int kPlaces = 64;

}  // namespace

void MethodTable::Add(const std::string& service, const std::string& method, Serve serve) {
  methods_.emplace(absl::StrCat("/", service, "/", method), std::move(serve));
}

const MethodTable::Serve* MethodTable::Find(const std::string& path) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : &found->second;
}

std::vector<std::string> MethodTable::Services() const {
  std::vector<std::string> services;
  for (const auto& [path, serve] : methods_) {
    std::string service = path.substr(1, path.rfind('/') - 1);
    if (services.empty() || services.back() != service) services.push_back(std::move(service));
  }
  return services;
}

// Where one call after the other arrives.
class CallListener::Place {
 public:
  explicit Place(CallListener* listener) : listener_(*listener) { Await(); }

 private:
  void Await() {
    next_ = std::make_unique<IncomingCall>(listener_.loop_, listener_.max_message_bytes_);
    next_->Await(&listener_.service_, &arrived_);
  }

  void Arrived(bool ok) {
    std::unique_ptr<IncomingCall> incoming = std::move(next_);
    if (!ok) return;
    Await();
    listener_.Dispatch(std::move(incoming));
  }

  CallListener& listener_;
  MemberEvent<Place, &Place::Arrived> arrived_{this};
  std::unique_ptr<IncomingCall> next_;
};

class CallListener::UnservedCall final : public ServedCall {
 public:
  UnservedCall(std::unique_ptr<IncomingCall> incoming, const CallPipeline* pipeline)
      : ServedCall(std::move(incoming)), pipeline_(pipeline) {}

  void Begin() override {
    const absl::Status status = absl::UnimplementedError(UnservedText(path()));
    Call(pipeline_, &methods::kUnserved, &transport()).Finish(status);
    Finish(status);
  }

 private:
  const CallPipeline* const pipeline_;
};

CallListener::CallListener(const MethodTable* table, const CallPipeline* pipeline, CompletionLoop* loop,
                           int64_t max_message_bytes)
    : table_(*table), pipeline_(pipeline), loop_(loop), max_message_bytes_(max_message_bytes) {}
CallListener::~CallListener() = default;

void CallListener::Listen() {
  for (int i = 0; i < kPlaces; ++i) places_.push_back(std::make_unique<Place>(this));
}

void CallListener::Dispatch(std::unique_ptr<IncomingCall> incoming) {
  const MethodTable::Serve* serve = table_.Find(incoming->path());
  if (serve != nullptr) return (*serve)(std::move(incoming));
  static_cast<ServedCall*>(new UnservedCall(std::move(incoming), pipeline_))->Begin();
}

}  // namespace kwta::server
