#include "server/services/ordered_answers.h"

#include <gtest/gtest.h>

#include <thread>

namespace kwta::server {
namespace {

TEST(OrderedAnswersTest, AnswersComeInTheOrderOfTheirPlaces) {
  OrderedAnswers<int> answers(3);
  const uint64_t first = answers.Open().value();
  const uint64_t second = answers.Open().value();
  answers.Fill(second, 2);
  answers.Fill(first, 1);
  EXPECT_EQ(answers.Take(), 1);
  const uint64_t third = answers.Open().value();
  EXPECT_EQ(answers.Take(), 2);
  answers.Fill(third, 3);
  answers.Close();
  EXPECT_EQ(answers.Take(), 3);
  EXPECT_EQ(answers.Take(), std::nullopt);
}

TEST(OrderedAnswersTest, OpenWaitsForAFreePlace) {
  OrderedAnswers<int> answers(1);
  answers.Fill(answers.Open().value(), 1);
  std::thread reader([&answers] {
    answers.Fill(answers.Open().value(), 2);  // waits until the first was taken
    answers.Close();
  });
  EXPECT_EQ(answers.Take(), 1);
  EXPECT_EQ(answers.Take(), 2);
  EXPECT_EQ(answers.Take(), std::nullopt);
  reader.join();
}

TEST(OrderedAnswersTest, AbandonEndsEverythingButLateFills) {
  OrderedAnswers<int> answers(1);
  const uint64_t place = answers.Open().value();
  answers.Abandon();
  EXPECT_EQ(answers.Open(), std::nullopt);
  EXPECT_EQ(answers.Take(), std::nullopt);
  std::thread late([&answers, place] { answers.Fill(place, 1); });
  answers.WaitUntilFilled();
  late.join();
}

}  // namespace
}  // namespace kwta::server
