#include "server/security/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "server/retry_after.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The file is at hand, and time passes when a test says so.
class AuthenticatorTest : public ::testing::Test {
 protected:
  static TokenEntry Entry(const std::string& name, const std::string& token, std::vector<Scope> scopes) {
    TokenEntry entry;
    entry.name = name;
    entry.sha256 = HashOfToken(token);
    entry.scopes = std::move(scopes);
    return entry;
  }

  void Open(const std::vector<TokenEntry>& entries) {
    ASSERT_TRUE(WriteTokenFile(path_, entries).ok());
    Authenticator::Events events;
    events.read = [this](size_t tokens) { read_ = tokens; };
    events.failed = [this](const absl::Status& status) { failed_ = status; };
    authenticator_ = Authenticator::Open(path_, events, {[this] { return now_; }, [this] { return steady_; }}).value();
  }

  absl::StatusOr<Caller> Ask(const std::string& token, std::optional<Scope> scope = Scope::kEncode) {
    return authenticator_->Authenticate("Bearer " + token, scope);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.File("tokens.json");
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  SteadyTime steady_ = SteadyTime::At(absl::Seconds(5));
  size_t read_ = 0;
  absl::Status failed_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, KnowsWhoCallsAndWhatFor) {
  Open({Entry("search", "s", {Scope::kEncode}), Entry("trainer", "t", {Scope::kTrain, Scope::kEncode})});
  EXPECT_EQ(Ask("s")->name, "search");
  EXPECT_EQ(Ask("t", Scope::kTrain)->name, "trainer");
  EXPECT_EQ(Ask("s", std::nullopt)->name, "search") << "whatever its scopes";
  const absl::Status denied = Ask("s", Scope::kTrain).status();
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(denied.message()), AllOf(HasSubstr("'search'"), HasSubstr("'train'")));
  EXPECT_EQ(Ask("t", Scope::kAdmin).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(AuthenticatorTest, RefusesMissingAndUnknownTokens) {
  Open({Entry("search", "s", {Scope::kEncode})});
  for (const char* header : {"", "s", "Basic s", "Bearer", "Bearer ", "Bearer wrong", "Bearer s "}) {
    EXPECT_EQ(authenticator_->Authenticate(header, std::nullopt).status().code(), absl::StatusCode::kUnauthenticated)
        << "'" << header << "'";
  }
  EXPECT_THAT(std::string(authenticator_->Authenticate("", std::nullopt).status().message()),
              HasSubstr("authorization: Bearer"));
  EXPECT_TRUE(authenticator_->Authenticate("bearer s", std::nullopt).ok()) << "schemes have no case";
}

TEST_F(AuthenticatorTest, TokensExpire) {
  TokenEntry entry = Entry("search", "s", {Scope::kEncode});
  entry.expires = now_ + absl::Seconds(10);
  Open({entry});
  EXPECT_TRUE(Ask("s").ok());
  now_ += absl::Seconds(10);
  const absl::Status expired = Ask("s").status();
  EXPECT_EQ(expired.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(expired.message()), HasSubstr("expired at 1970-01-12"));
}

TEST_F(AuthenticatorTest, ReadsTheFileAgainWhenItHasChanged) {
  Open({Entry("search", "old", {Scope::kEncode})});
  ASSERT_TRUE(WriteTokenFile(path_, {Entry("search", "new", {Scope::kEncode})}).ok());
  EXPECT_TRUE(Ask("old").ok()) << "it is looked at once a second";
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_EQ(Ask("old").status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Ask("new").ok());
  EXPECT_EQ(read_, 1u);
  directory_.Write("tokens.json", "{");
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_TRUE(Ask("new").ok()) << "a file that makes no sense changes nothing";
  EXPECT_EQ(failed_.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AuthenticatorTest, ConfirmsCallersAsLongAsTheirTokensHold) {
  TokenEntry entry = Entry("search", "s", {Scope::kEncode});
  entry.expires = now_ + absl::Seconds(10);
  Open({entry});
  Caller caller = Ask("s").value();
  const auto confirm = [&](const std::string& token) {
    return authenticator_->Confirm("Bearer " + token, Scope::kEncode, &caller);
  };
  EXPECT_TRUE(confirm("s").ok());

  // Another quota is that of those who are there already.
  entry.calls_per_second = 5;
  ASSERT_TRUE(WriteTokenFile(path_, {entry}).ok());
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_TRUE(confirm("s").ok());
  ASSERT_NE(caller.calls, nullptr);
  EXPECT_EQ(caller.calls->rate(), 5);

  entry.scopes = {Scope::kTrain};
  ASSERT_TRUE(WriteTokenFile(path_, {entry}).ok());
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_EQ(confirm("s").code(), absl::StatusCode::kPermissionDenied);
  ASSERT_TRUE(WriteTokenFile(path_, {Entry("other", "o", {Scope::kEncode})}).ok());
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_EQ(confirm("s").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(confirm("o").ok());
  EXPECT_EQ(caller.name, "other");
}

TEST_F(AuthenticatorTest, ConfirmsNobodyWhoseTokenHasExpired) {
  TokenEntry entry = Entry("search", "s", {Scope::kEncode});
  entry.expires = now_ + absl::Seconds(10);
  Open({entry});
  Caller caller = Ask("s").value();
  EXPECT_TRUE(authenticator_->Confirm("Bearer s", Scope::kEncode, &caller).ok());
  now_ = entry.expires;
  const absl::Status expired = authenticator_->Confirm("Bearer s", Scope::kEncode, &caller);
  EXPECT_EQ(expired.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(expired.message()), HasSubstr("expired at"));
}

TEST_F(AuthenticatorTest, AClockThatIsSetBackHoldsNothingUp) {
  Open({Entry("search", "old", {Scope::kEncode})});
  ASSERT_TRUE(WriteTokenFile(path_, {Entry("search", "new", {Scope::kEncode})}).ok());
  now_ -= absl::Hours(24);
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_EQ(Ask("old").status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Ask("new").ok());
}

TEST_F(AuthenticatorTest, AFileThatChangesWithinItsTimeAndSizeIsAnother) {
  Open({Entry("search", "one", {Scope::kEncode})});
  const auto written = std::filesystem::last_write_time(path_);
  // In place: the same file, as long as before, and of the same time.
  ASSERT_TRUE(WriteTokenFile(directory_.File("next"), {Entry("search", "two", {Scope::kEncode})}).ok());
  std::filesystem::copy_file(directory_.File("next"), path_, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::last_write_time(path_, written);
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_EQ(Ask("one").status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Ask("two").ok());
}

TEST_F(AuthenticatorTest, AFileThatMakesNoSenseIsToldOnce) {
  Open({Entry("search", "s", {Scope::kEncode})});
  std::filesystem::remove(path_);
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_TRUE(Ask("s").ok());
  EXPECT_EQ(failed_.code(), absl::StatusCode::kNotFound);
  failed_ = absl::OkStatus();
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_TRUE(Ask("s").ok());
  EXPECT_TRUE(failed_.ok());
}

TEST_F(AuthenticatorTest, AFileReadAgainFillsNoQuota) {
  TokenEntry entry = Entry("search", "s", {Scope::kEncode});
  entry.rows_per_second = 100;
  Open({entry});
  EXPECT_TRUE(Ask("s")->rows->Take(100, steady_).ok());
  EXPECT_EQ(Ask("s")->calls, nullptr);
  entry.scopes.push_back(Scope::kTrain);
  ASSERT_TRUE(WriteTokenFile(path_, {entry}).ok());
  const SteadyTime before = steady_;
  steady_ = steady_ + absl::Seconds(1);
  EXPECT_TRUE(Ask("s", Scope::kTrain).ok());
  EXPECT_EQ(Ask("s")->rows->Take(50, before).code(), absl::StatusCode::kResourceExhausted);
}

TEST(QuotaTest, HoldsWhatComesInASecond) {
  Quota quota("rows_per_second", 10);
  const SteadyTime start = SteadyTime::At(absl::Seconds(1000));
  EXPECT_TRUE(quota.Take(10, start).ok());
  const absl::Status refused = quota.Take(5, start + absl::Milliseconds(100));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("rows_per_second is 10"));
  EXPECT_EQ(RetryAfter(refused), absl::Milliseconds(400));
  EXPECT_TRUE(quota.Take(5, start + absl::Milliseconds(500)).ok());
  EXPECT_FALSE(quota.Take(11, start + absl::Milliseconds(600)).ok());
  EXPECT_TRUE(quota.Take(30, start + absl::Seconds(10)).ok()) << "more than a second's worth, from a full bucket";
  EXPECT_FALSE(quota.Take(1, start + absl::Seconds(11)).ok()) << "which is then in debt";
  EXPECT_TRUE(quota.Take(1, start + absl::Milliseconds(12'200)).ok());
}

TEST(QuotaTest, LessThanOneASecond) {
  Quota quota("calls_per_second", 0.5);
  const SteadyTime start = SteadyTime::At(absl::Seconds(1000));
  EXPECT_TRUE(quota.Take(1, start).ok());
  EXPECT_FALSE(quota.Take(1, start + absl::Seconds(1)).ok());
  EXPECT_TRUE(quota.Take(1, start + absl::Seconds(2)).ok());
}

}  // namespace
}  // namespace kwta::server
