// Second attempts, against servers in this process of which some never answer.
#include "client/hedge.h"

#include <gmock/gmock.h>

#include "client/client.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_up_rows.h"

namespace kwta::client {
namespace {

Options HedgingOptions(const std::string& address, double max_fraction = 1) {
  Options options = QuickOptions(address);
  options.hedge.delay = absl::Milliseconds(1);
  options.hedge.max_fraction = max_fraction;
  return options;
}

TEST(HedgeBudget, ThereAreNoMoreThanTheFraction) {
  HedgeBudget budget(0.25);
  EXPECT_FALSE(budget.Take()) << "nothing was called";
  for (int i = 0; i < 4; ++i) budget.CountCall();
  EXPECT_TRUE(budget.Take());
  EXPECT_FALSE(budget.Take());
  for (int i = 0; i < 3; ++i) budget.CountCall();
  EXPECT_FALSE(budget.Take());
  budget.CountCall();
  EXPECT_TRUE(budget.Take());
}

TEST(HedgeBudget, AQuietTimeSavesUpNoFlood) {
  HedgeBudget budget(0.5);
  for (int i = 0; i < 1000; ++i) budget.CountCall();
  int taken = 0;
  while (budget.Take()) ++taken;
  EXPECT_EQ(taken, 10);
}

TEST(Hedge, ASecondAttemptAnswersForOneThatHangs) {
  FakeServer server;
  server.HangEncodes(1);
  Client client(HedgingOptions(server.address()));
  const Tensor rows = MadeUpRows(3);
  const auto result = client.Encode("m", rows.rows());
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectMadeUpCodes(*result, 0, 3, FakeServer::kDefaultK);
  EXPECT_EQ(result->requests, 1);
  EXPECT_EQ(server.calls(), 2);
  server.AwaitCancelled();
}

TEST(Hedge, GoesToAnotherServer) {
  FakeServer hanging, good;
  Client client(HedgingOptions(hanging.address() + "," + good.address()));
  const Tensor rows = MadeUpRows(1);
  // Which server is first is not ours to say, so until the one that hangs was, and the other answered for it.
  for (bool answered_by_other = false; !answered_by_other;) {
    hanging.HangEncodes(1);
    const int hanging_calls = hanging.calls(), good_calls = good.calls();
    const auto result = client.Encode("m", rows.rows());
    ASSERT_TRUE(result.ok()) << result.status();
    answered_by_other = hanging.calls() == hanging_calls + 1 && good.calls() == good_calls + 1;
  }
  hanging.AwaitCancelled();
}

TEST(Hedge, IsOffByDefault) {
  FakeServer server;
  server.HangEncodes(1);
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(1);
  EncodeSettings settings;
  settings.deadline = absl::Milliseconds(50);
  EXPECT_EQ(client.Encode("m", rows.rows(), settings).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.calls(), 1);
}

TEST(Hedge, StaysWithinTheBudget) {
  FakeServer server;
  server.HangEncodes(1);
  Client client(HedgingOptions(server.address(), /*max_fraction=*/0.05));
  const Tensor rows = MadeUpRows(1);
  EncodeSettings settings;
  settings.deadline = absl::Milliseconds(50);
  EXPECT_EQ(client.Encode("m", rows.rows(), settings).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.calls(), 1);
}

TEST(Hedge, RequestsOfALargerCallAreNotHedged) {
  FakeServer server;
  server.HangEncodes(1);
  Client client(HedgingOptions(server.address()));
  const Tensor rows = MadeUpRows(4);
  EncodeSettings settings;
  settings.rows_per_request = 2;
  settings.deadline = absl::Milliseconds(50);
  EXPECT_EQ(client.Encode("m", rows.rows(), settings).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.calls(), 1);
}

TEST(Hedge, AFailureIsToldAndUnavailableIsTriedAgain) {
  FakeServer server;
  Client client(HedgingOptions(server.address()));
  const Tensor rows = MadeUpRows(1);
  // Statuses are for calls in turn: each of these ends the one attempt, or both, that were made.
  server.FailNext({absl::NotFoundError("no model"), absl::NotFoundError("no model")});
  EXPECT_EQ(client.Encode("m", rows.rows()).status(), absl::NotFoundError("no model"));
  server.FailNext({absl::UnavailableError("one"), absl::UnavailableError("two")});
  EXPECT_TRUE(client.Encode("m", rows.rows()).ok());
}

}  // namespace
}  // namespace kwta::client
