#include "server/services/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/services/unserved_text.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class FakeTransport : public CallTransport {
 public:
  absl::string_view Metadata(const char* name) const override {
    const auto found = sent.find(name);
    return found == sent.end() ? absl::string_view() : found->second;
  }
  std::string Peer() const override { return "host"; }
  absl::Time Deadline() const override { return deadline; }
  bool Cancelled() const override { return cancelled; }
  void AddTrailing(const char* name, const std::string& value) override { trailing[name] = value; }

  std::map<std::string, std::string> sent;
  std::map<std::string, std::string> trailing;
  absl::Time deadline = absl::InfiniteFuture();
  bool cancelled = false;
};

class CallTest : public ::testing::Test {
 protected:
  static TokenEntry Entry(const std::string& token, double calls_per_second = 0) {
    TokenEntry entry;
    entry.name = "search";
    entry.sha256 = HashOfToken(token);
    entry.scopes = {Scope::kEncode};
    entry.calls_per_second = calls_per_second;
    return entry;
  }

  // From now on callers need a token. Time passes for tokens when a test says so.
  void DemandTokens(const std::vector<TokenEntry>& entries) {
    Write(entries);
    authenticator_ = Authenticator::Open(path_, {}, {absl::Now, [this] { return steady_; }}).value();
    pipeline_.authenticator = authenticator_.get();
  }
  void Write(const std::vector<TokenEntry>& entries) {
    ASSERT_TRUE(WriteTokenFile(path_, entries).ok());
    steady_ = steady_ + absl::Seconds(1);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.File("tokens.json");
  SteadyTime steady_ = SteadyTime::At(absl::ZeroDuration());
  CallPermits permits_{2};
  Metrics metrics_{"1.2.3", "reference", absl::UnixEpoch()};
  std::unique_ptr<Authenticator> authenticator_;
  CallPipeline pipeline_{&permits_, nullptr, &metrics_};
  FakeTransport transport_;
};

TEST_F(CallTest, IsLetInRecordedAndKnownByItsPeer) {
  transport_.deadline = absl::FromUnixSeconds(7);
  Call call(&pipeline_, &methods::kEncode, &transport_);
  ASSERT_EQ(call.Admit(), absl::OkStatus());
  const CallContext context = call.Context();
  EXPECT_EQ(context.caller, "host");
  EXPECT_EQ(context.deadline, absl::FromUnixSeconds(7));
  EXPECT_EQ(context.row_quota, nullptr);
  EXPECT_FALSE(context.patient);
  EXPECT_FALSE(context.cancelled());
  transport_.cancelled = true;
  EXPECT_TRUE(context.cancelled());
  call.Finish(absl::NotFoundError("no such model"));
  EXPECT_THAT(transport_.trailing, IsEmpty());
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"NOT_FOUND\",method=\"Encode\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_request_seconds_count{method=\"Encode\"} 1\n"));
}

TEST_F(CallTest, HoldsItsPermitUntilItIsGone) {
  {
    Call first(&pipeline_, &methods::kEncode, &transport_);
    Call second(&pipeline_, &methods::kStatus, &transport_);
    Call third(&pipeline_, &methods::kStatus, &transport_);
    ASSERT_TRUE(first.Admit().ok());
    ASSERT_TRUE(second.Admit().ok());
    second.Finish(absl::OkStatus());
    const absl::Status refused = third.Admit();
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    third.Finish(refused);
    EXPECT_EQ(transport_.trailing["grpc-retry-pushback-ms"], "100");
  }
  EXPECT_TRUE(permits_.WaitUntilIdle(absl::InfinitePast()));
  permits_.Close();
  EXPECT_EQ(Call(&pipeline_, &methods::kEncode, &transport_).Admit().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CallTest, NeedsATokenOfItsScope) {
  DemandTokens({Entry("s")});
  EXPECT_EQ(Call(&pipeline_, &methods::kEncode, &transport_).Admit().code(), absl::StatusCode::kUnauthenticated);
  transport_.sent["authorization"] = "Bearer s";
  Call call(&pipeline_, &methods::kEncode, &transport_);
  EXPECT_EQ(call.Admit(), absl::OkStatus());
  EXPECT_EQ(call.Context().caller, "search");
  EXPECT_EQ(Call(&pipeline_, &methods::kStatus, &transport_).Admit(), absl::OkStatus()) << "any token";
  for (const Method* method : {&methods::kTrain, &methods::kWatchJob, &methods::kDeleteModel,
                               &methods::kRepositoryModelLoad, &methods::kRepositoryModelUnload}) {
    EXPECT_EQ(Call(&pipeline_, method, &transport_).Admit().code(), absl::StatusCode::kPermissionDenied)
        << method->name;
  }
}

TEST_F(CallTest, TheQuotaHoldsForEveryRequestOfAStream) {
  DemandTokens({Entry("s", 2)});
  transport_.sent["authorization"] = "Bearer s";
  for (const Method* method : {&methods::kEncodeStream, &methods::kModelStreamInfer}) {
    Write({Entry("s", method == &methods::kEncodeStream ? 0.002 : 0.001)});  // another rate: a full bucket
    Call call(&pipeline_, method, &transport_);
    ASSERT_EQ(call.Admit(), absl::OkStatus());
    EXPECT_TRUE(call.Context().patient);
    const absl::StatusOr<StreamRequest> first = call.BeginRequest();
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(first->refusal, absl::OkStatus()) << "paid for when the stream was let in";
    call.EndRequest(*first, absl::OkStatus());
    for (int i = 0; i < 2; ++i) {
      const absl::StatusOr<StreamRequest> next = call.BeginRequest();
      ASSERT_TRUE(next.ok()) << "the stream goes on";
      EXPECT_EQ(next->refusal.code(), absl::StatusCode::kResourceExhausted);
      EXPECT_THAT(std::string(next->refusal.message()), HasSubstr("calls_per_second"));
      call.EndRequest(*next, next->refusal);
    }
    EXPECT_EQ(Call(&pipeline_, &methods::kEncode, &transport_).Admit().code(), absl::StatusCode::kResourceExhausted);
    call.Finish(absl::OkStatus());
    const std::string text = metrics_.Render();
    const auto counted = [method](const std::string& code, int calls) {
      return HasSubstr("kwta_requests_total{code=\"" + code + "\",method=\"" + method->name + "\"} " +
                       std::to_string(calls) + "\n");
    };
    EXPECT_THAT(text, counted("OK", 1)) << "requests, and not the stream too";
    EXPECT_THAT(text, counted("RESOURCE_EXHAUSTED", 2));
  }
}

TEST_F(CallTest, AStreamEndsWithItsToken) {
  DemandTokens({Entry("s")});
  transport_.sent["authorization"] = "Bearer s";
  Call requests(&pipeline_, &methods::kModelStreamInfer, &transport_);
  ASSERT_EQ(requests.Admit(), absl::OkStatus());
  EXPECT_TRUE(requests.BeginRequest().ok());
  Call upload(&pipeline_, &methods::kGetModel, &transport_);
  ASSERT_EQ(upload.Admit(), absl::OkStatus());
  EXPECT_EQ(upload.AllowMessage(), absl::OkStatus());
  Write({Entry("t")});
  EXPECT_EQ(requests.BeginRequest().status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(upload.AllowMessage().code(), absl::StatusCode::kUnauthenticated);
  TokenEntry other = Entry("s");
  other.scopes = {Scope::kTrain};
  Write({other});
  EXPECT_EQ(requests.BeginRequest().status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(CallTest, OfAStreamOnlyItsFailureIsRecordedAndOfAWatchNoTime) {
  Call failed(&pipeline_, &methods::kEncodeStream, &transport_);
  failed.Finish(absl::UnavailableError("draining"));
  Call watch(&pipeline_, &methods::kWatchJob, &transport_);
  watch.Finish(absl::OkStatus());
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"UNAVAILABLE\",method=\"EncodeStream\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\",method=\"WatchJob\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_request_seconds_count{method=\"EncodeStream\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("kwta_request_seconds_count{method=\"WatchJob\"}")));
}

TEST_F(CallTest, SendsBackWhatTracesIt) {
  const std::string traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  transport_.sent = {{"x-request-id", "7"}, {"traceparent", traceparent}};
  Call(&pipeline_, &methods::kEncode, &transport_).Finish(absl::OkStatus());
  EXPECT_EQ(transport_.trailing["x-request-id"], "7");
  EXPECT_EQ(transport_.trailing["traceparent"], traceparent);
  transport_.trailing.clear();
  transport_.sent = {{"x-request-id", "a b"}, {"traceparent", "00-0AF7"}};
  Call(&pipeline_, &methods::kEncode, &transport_).Finish(absl::OkStatus());
  EXPECT_THAT(transport_.trailing, IsEmpty()) << "malformed";
}

}  // namespace
}  // namespace kwta::server
