#include "core/research/reproduction/reproduction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "nlohmann/json.hpp"
#include "tests/temporary_directory.h"

namespace kwta::reproduction_test {
namespace {

using testing::HasSubstr;

// Quick runs on the 2,000 and 500 images of the fixture, which is what they find when nothing else is there.
class ReproductionTest : public testing::Test {
 protected:
  ReproductionTest() {
    options_.output_directory = directory_.path();
    options_.data_directories = {KWTA_TEST_DATA "/datasets"};
    options_.quick = true;
  }

  // The time of the run is all that may differ between two runs.
  static nlohmann::json Numbers(const std::string& path) {
    std::ifstream file(path);
    nlohmann::json json = nlohmann::json::parse(file);
    json["settings"].erase("seconds_of_this_run");
    return json;
  }

  const TemporaryDirectory directory_;
  ReproductionOptions options_;
};

TEST_F(ReproductionTest, GoesOnWhereItWasStoppedAndMeasuresNothingTwice) {
  options_.table = "k-sparse-table1";
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  int stages = 0;
  std::string last;
  options_.progress = [&](const std::string& stage, double) {
    stages += stage != last;
    last = stage;
    if (stage.rfind("training k = 40", 0) == 0) stop.store(true);
  };
  const auto stopped = Reproduce(options_);
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  const int stages_before_stop = stages;
  EXPECT_GT(stages_before_stop, 3);
  // What was measured before the stop is in a report that says that it is not all.
  const nlohmann::json so_far = Numbers(options_.output_directory + "/k-sparse-table1.json");
  EXPECT_EQ(so_far["finished"], false);
  EXPECT_EQ(so_far["tables"][0]["rows"].size(), 2u);

  stop.store(false);
  stages = 0;
  options_.progress = [&](const std::string& stage, double) {
    stages += stage != last;
    last = stage;
    EXPECT_THAT(stage, testing::Not(HasSubstr("raw pixels")));  // measured before the stop
  };
  const auto resumed = Reproduce(options_);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_GT(stages, 3);
  EXPECT_THAT(resumed->summary, HasSubstr("k-sparse autoencoder, k = 25"));
  const nlohmann::json first = Numbers(resumed->json_path);

  stages = 0;
  const auto again = Reproduce(options_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(stages, 0);
  EXPECT_EQ(Numbers(again->json_path), first);
  const nlohmann::json& rows = first["tables"][0]["rows"];
  ASSERT_EQ(rows.size(), 8u);
  for (const nlohmann::json& row : rows) {
    EXPECT_GT(row["values"][0].get<double>(), 5);
    EXPECT_LT(row["values"][0].get<double>(), 60);
    const nlohmann::json& chosen = row["details"][0];
    ASSERT_EQ(chosen["candidates"].size(), 1u);
    EXPECT_EQ(chosen["candidates"][0]["validation_error"], chosen["validation_error"]);
    EXPECT_NE(chosen["test_error"], chosen["validation_error"]);
  }
  EXPECT_EQ(first["pictures"].size(), 3u);
  EXPECT_EQ(first["finished"], true);
}

TEST_F(ReproductionTest, TablesShareWhatTheyTrain) {
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  std::string until;
  int trained = 0;
  options_.progress = [&](const std::string& stage, double fraction) {
    if (stage.rfind(until, 0) == 0) stop.store(true);
    trained += fraction == 0 && stage == "training k = 40, seed 1";
  };
  options_.table = "k-sparse-table1";
  until = "classifying k = 40";
  EXPECT_EQ(Reproduce(options_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_GE(trained, 1);
  stop.store(false);
  trained = 0;
  options_.table = "k-sparse-table3";
  EXPECT_EQ(Reproduce(options_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(trained, 0);
}

TEST_F(ReproductionTest, RowsOfDataThatAreNotThereSaySo) {
  for (const auto& [table, count] : {std::pair("k-sparse-table2", 7u), std::pair("k-sparse-table4", 9u)}) {
    options_.table = table;
    const auto result = Reproduce(options_);
    ASSERT_TRUE(result.ok()) << result.status();
    const nlohmann::json report = Numbers(result->json_path);
    EXPECT_THAT(report["notes"][1].get<std::string>(), HasSubstr("small-norb"));
    const nlohmann::json& rows = report["tables"][0]["rows"];
    ASSERT_EQ(rows.size(), count);
    for (const nlohmann::json& row : rows) {
      EXPECT_TRUE(row["values"].empty());
      EXPECT_GT(row["paper"].get<double>(), 5);
      EXPECT_THAT(row["note"].get<std::string>(), HasSubstr("not measured"));
    }
  }
}

// The machines that share a figure copy the files of their state together.
TEST_F(ReproductionTest, PartsOfAFigureAreComputedApartAndPutTogether) {
  options_.table = "arpit-fig1";
  options_.output_directory = directory_.path() + "/one";
  options_.only = {"*, DAE, *", "*, cae, *= 0, *", "*, cae, *= 0.25, *", "*, cae, *= 1, *"};
  const auto part = Reproduce(options_);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_THAT(part->summary, HasSubstr("Unfinished"));
  const nlohmann::json so_far = Numbers(part->json_path);
  EXPECT_EQ(so_far["finished"], false);
  EXPECT_EQ(so_far["left_out"], 7);  // the shared start of all curves is there
  EXPECT_EQ(so_far["tables"][0]["rows"].size(), 16u);
  ASSERT_EQ(so_far["claims"].size(), 3u);  // none about mDAE
  EXPECT_THAT(so_far["claims"][0]["text"].get<std::string>(),
              HasSubstr("seeds: 1, values of sigma^2: 3"));  // the outline

  options_.output_directory = directory_.path() + "/other";
  options_.only = {"*, mDAE, *", "*, SAE, *", "*, CAE, *= 0.01, *"};
  ASSERT_TRUE(Reproduce(options_).ok());
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path() + "/one/state")) {
    EXPECT_EQ(entry.path().extension(), ".json");  // models and checkpoints are gone
    EXPECT_LT(entry.file_size(), 5000u);
    std::filesystem::copy(entry, options_.output_directory + "/state", std::filesystem::copy_options::skip_existing);
  }
  options_.only.clear();
  options_.progress = [](const std::string& stage, double) { ADD_FAILURE() << stage; };  // measures nothing
  options_.seeds = 2;  // of which the second is missing
  options_.report_only = true;
  const auto reported = Reproduce(options_);
  ASSERT_TRUE(reported.ok()) << reported.status();
  const nlohmann::json report = Numbers(reported->json_path);
  EXPECT_EQ(report["finished"], false);
  EXPECT_EQ(report["left_out"], 16);
  options_.seeds = 0;
  options_.report_only = false;
  const auto whole = Reproduce(options_);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const nlohmann::json figure = Numbers(whole->json_path);
  EXPECT_EQ(figure["finished"], true);
  ASSERT_EQ(figure["claims"].size(), 4u);
  EXPECT_THAT(figure["claims"][0]["text"].get<std::string>(), HasSubstr("seeds: 1, values of sigma^2: 4"));
  ASSERT_EQ(figure["charts"].size(), 2u);
  EXPECT_EQ(figure["charts"][0]["series"][1]["name"], "CAE");
  EXPECT_EQ(figure["charts"][0]["series"][1]["y"][3], figure["tables"][0]["rows"][7]["values"][0]);
  for (const nlohmann::json& row : figure["tables"][0]["rows"]) {
    ASSERT_EQ(row["values"].size(), 1u);
    EXPECT_EQ(row["values"][0], row["details"][0]["activation_fraction"]);
    EXPECT_GT(row["details"][0]["pre_activation_variance"].get<double>(), 0);
  }
}

TEST_F(ReproductionTest, APatternThatMatchesNothingIsAnErrorBeforeAnyWork) {
  options_.progress = [](const std::string& stage, double) { ADD_FAILURE() << stage; };
  options_.table = "arpit-fig3";
  const auto error_of = [this](std::vector<std::string> only) {
    options_.only = std::move(only);
    const absl::Status status = Reproduce(options_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(error_of({"theorem 3", "sigmoid"}),
            "only has the pattern 'sigmoid', which matches none of the 9 trainings of arpit-fig3; expected a pattern of "
            "a whole name. Names: 'PANEL, REGULARISER, sigma^2 = VALUE, seed N', with PANEL 'fashion-mnist, ReLU, unit "
            "length'; REGULARISER eDAE, DAE; VALUE 0, 0.01, 0.25, 1; N 1 .. 1; and 'theorem 3'");
  EXPECT_THAT(error_of({"EDAE"}), HasSubstr("a pattern stands for a whole name: '*EDAE*' matches 4 of them. Names: "));
  EXPECT_THAT(error_of({""}), HasSubstr("the pattern '', which matches none of the 9 trainings"));
  EXPECT_THAT(error_of({"*seed 2"}), HasSubstr("N 1 .. 1"));
  EXPECT_FALSE(std::filesystem::exists(options_.output_directory + "/arpit-fig3.json"));
}

TEST_F(ReproductionTest, AReportAloneNeedsSomethingToReport) {
  options_.table = "arpit-fig1";
  options_.report_only = true;
  const absl::Status missing = Reproduce(options_).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("there is no directory '" + directory_.path() + "/state'"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  options_.only = {"*"};
  EXPECT_THAT(std::string(Reproduce(options_).status().message()), HasSubstr("only and report_only are both set"));
  options_.only.clear();
  options_.table = "wta-table1";
  const absl::Status whole = Reproduce(options_).status();
  EXPECT_EQ(whole.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(whole.message()), HasSubstr("report_only is set; expected nothing: wta-table1 is measured"));
}

TEST_F(ReproductionTest, TablesAreMeasuredAsAWhole) {
  options_.table = "k-sparse-table1";
  options_.only = {"mnist*"};
  const absl::Status status = Reproduce(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("k-sparse-table1 is measured as a whole"));
}

TEST_F(ReproductionTest, NamesWhatThereIs) {
  options_.table = "table9";
  const absl::Status status = Reproduce(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'table9'; expected one of k-sparse-table1, "));
}

TEST_F(ReproductionTest, FullRunsNeedTheDataOfThePaper) {
  options_.table = "k-sparse-table1";
  options_.quick = false;
  const absl::Status status = Reproduce(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mnist"));
}

TEST_F(ReproductionTest, RefusesSeedsOutOfRange) {
  options_.table = "k-sparse-table1";
  options_.seeds = -1;
  const absl::Status status = Reproduce(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("seeds is -1"));
}

}  // namespace
}  // namespace kwta::reproduction_test
