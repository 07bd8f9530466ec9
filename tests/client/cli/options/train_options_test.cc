#include "client/cli/options/train_options.h"

#include <gmock/gmock.h>

#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"

namespace kwta::client::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TrainOptions Parse(const std::string& arguments) {
  CLI::App app;
  TrainOptions options;
  AddTrainOptions(app, &options);
  app.parse(arguments);
  return options;
}

void ExpectRequest(const TrainOptions& options, const std::string& text) {
  v1::TrainRequest expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(options.request, expected))
      << options.request.DebugString();
}

TEST(TrainOptions, LeavesUnsetWhatIsNotGiven) {
  const TrainOptions options = Parse("--model digits --data fashion-mnist");
  ExpectRequest(options, R"(spec { model: "digits" encoder { k_sparse {} } preprocessing {} training {}
                                   dataset { name: "fashion-mnist" } })");
  EXPECT_FALSE(options.watch);
}

TEST(TrainOptions, SetsEveryField) {
  const TrainOptions options = Parse(
      "--model m --job-id j --watch --encoder k-sparse --units 1000 --k 25 --k-start 100 --anneal-fraction 0.25 "
      "--init-sigma 0.5 --unit-norm --alpha 3 --epochs 50 --batch-size 64 --rate 0.5 --final-rate 0.125 "
      "--momentum 0.75 --seed 18446744073709551615 --threads 2 --subtract-mean --data dir/patches "
      "--validation-rows 10000 --split-seed 9 --max-rows 500");
  ExpectRequest(options, R"(
    job_id: "j"
    spec {
      model: "m"
      encoder { k_sparse { units: 1000 k: 25 k_start: 100 anneal_fraction: 0.25 init_sigma: 0.5 unit_norm_atoms: true
                           encode_alpha: 3 } }
      preprocessing { subtract_mean: true }
      training { epochs: 50 batch_size: 64 learning_rate: 0.5 final_learning_rate: 0.125 momentum: 0.75
                 seed: 18446744073709551615 threads: 2 }
      dataset { path: "dir/patches" validation_rows: 10000 split_seed: 9 max_rows: 500 }
    })");
  EXPECT_TRUE(options.watch);
}

TEST(TrainOptions, AddsStepsInOrder) {
  ExpectRequest(
      Parse("--model m --data d --step random-patches:size=8,patches=100000 --row-shape 3,32,30 --u8-divisor 1 "
            "--step global_contrast:unit_length=true --step grey --step whiten:epsilon=0.25"),
      R"(spec { model: "m" encoder { k_sparse {} } training {} dataset { name: "d" }
                          preprocessing {
                            u8_divisor: 1
                            input { channels: 3 height: 32 width: 30 }
                            steps { random_patches { size: 8 patches: 100000 } }
                            steps { global_contrast { unit_length: true } }
                            steps { grey {} }
                            steps { whiten { epsilon: 0.25 } } } })");
}

TEST(TrainOptions, RefusesStepsThatAreNone) {
  const auto message = [](const std::string& step) -> std::string {
    try {
      Parse("--model m --data d --step " + step);
    } catch (const CLI::ValidationError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("sharpen"),
              HasSubstr("'sharpen': there is no such step; expected NAME[:FIELD=VALUE,...] with NAME "
                        "one of separate-views, random-patches, grey"));
  EXPECT_THAT(
      message("whiten:eps=1"),
      HasSubstr(
          "'whiten:eps=1': whiten has no field 'eps'; expected whiten[:FIELD=VALUE,...] with FIELD one of epsilon"));
  EXPECT_THAT(message("grey:a=1"), HasSubstr("grey has no field 'a'; expected grey alone"));
  EXPECT_THAT(message("crop:height=x"), HasSubstr("; expected crop[:FIELD=VALUE,...] with FIELD one of height, width"));
  EXPECT_THAT(message("crop:height=1,height=2"), HasSubstr("height is given twice"));
  EXPECT_THAT(message("global-contrast:unit-length=1"), HasSubstr("expected true or false"));
  EXPECT_THAT(message("crop:height=tall"), HasSubstr("'crop:height=tall': 'tall' is no whole number"));
}

TEST(TrainOptions, SetsEveryFieldOfAWinnerTakeAllEncoder) {
  ExpectRequest(
      Parse("--model m --encoder winner-take-all --maps 16 --filter-size 7 --decoder-filter-size 5 "
            "--sparsity across-maps --winners 32 --no-tied-weights --pool-width 5 --pool-stride 3 "
            "--pool-padding 2 --init-sigma 0.25 --decoder-init-sigma 0.125 --biases-from-mean --image 3,32,30 "
            "--optimiser sgd --data d"),
      R"(spec { model: "m" encoder { winner_take_all {
                     maps: 16 filter_size: 7 decoder_filter_size: 5 sparsity: WINNER_SPARSITY_ACROSS_MAPS winners: 32
                     tied_weights: false pool_width: 5 pool_stride: 3 pool_padding: 2 init_sigma: 0.25
                     decoder_init_sigma: 0.125 biases_from_mean: true input { channels: 3 height: 32 width: 30 } } }
                   preprocessing {} training { optimiser: OPTIMISER_SGD } dataset { name: "d" } })");
  EXPECT_THROW(Parse("--model m --data d --encoder winner-take-all --sparsity some"), CLI::ValidationError);
  EXPECT_THROW(Parse("--model m --data d --encoder winner-take-all --image 28,28"), CLI::ParseError);
}

TEST(TrainOptions, HelpTellsDefaultsOfEveryKind) {
  CLI::App app;
  TrainOptions options;
  AddTrainOptions(app, &options);
  const auto description = [&app](const char* flag) { return app.get_option(flag)->get_description(); };
  EXPECT_EQ(description("--encoder"), "Kind of encoder; default k-sparse");
  EXPECT_EQ(description("--anneal-fraction"),
            "Fraction of the epochs over which k falls from k-start, 0 .. 1; default 0.5");
  EXPECT_EQ(app.get_option("--anneal-fraction")->get_group(), "Encoder k-sparse");
  EXPECT_EQ(description("--sparsity"), "Where training looks for winners; default each-map");
  EXPECT_EQ(description("--tied-weights"), "Decode with the encoder's filters; default off");
  EXPECT_EQ(description("--image"), "What image a row is, if the data do not say");
  EXPECT_EQ(app.get_option("--image")->get_type_name(), "CHANNELS,HEIGHT,WIDTH");
  // Options that several kinds have, each with a default of its own.
  EXPECT_THAT(description("--init-sigma"),
              StartsWith("Standard deviation of the encoder's initial weights, above 0; default 0.01"));
  EXPECT_THAT(description("--init-sigma"), HasSubstr(", winner-take-all: 1.4 / (filter-size * sqrt(channels))"));
  EXPECT_EQ(app.get_option("--init-sigma")->get_group(), "Encoder");
  EXPECT_EQ(description("--weight-decay"),
            "Add half of this times the squared weights to the loss, at least 0; default none, rbm: 0.0002");
  EXPECT_EQ(description("--max-length"), "Keep rows of weights at most this long, above 0");
  EXPECT_THAT(description("--optimiser"),
              StartsWith("Gradient descent with momentum, or Adam; default the encoder's own: "));
  EXPECT_THAT(description("--optimiser"), HasSubstr("sgd for k-sparse, which takes no other, "));
  EXPECT_THAT(description("--optimiser"), HasSubstr("adam for winner-take-all"));
  EXPECT_THAT(description("--rate"), HasSubstr("; default k-sparse 0.01, less for rows of large norm, "));
  EXPECT_THAT(description("--rate"), HasSubstr(", winner-take-all 0.001, "));
  EXPECT_THAT(description("--subtract-mean"), HasSubstr("k-sparse true, winner-take-all false"));
}

TEST(TrainOptions, RefusesOptionsOfAnotherKindOfEncoder) {
  for (const char* arguments : {"--encoder winner-take-all --k 25", "--encoder winner-take-all --no-unit-norm",
                                "--maps 16", "--encoder k-sparse --sparsity none"}) {
    EXPECT_THROW(Parse(std::string("--model m --data d ") + arguments), CLI::ValidationError) << arguments;
  }
}

TEST(TrainOptions, RefusesTwoOptionsOfWhichAModelTakesOne) {
  const auto refusal = [](const std::string& arguments) -> std::string {
    try {
      Parse("--model m --data d --encoder regularised " + arguments);
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal("--contraction 1 --sparse-penalty 2"),
              HasSubstr("--sparse-penalty: and --contraction are both given; choose one of them"));
  EXPECT_THAT(refusal("--gaussian-noise 0 --masking-noise 0.5"),
              HasSubstr("--masking-noise: and --gaussian-noise are both given; choose one of them"));
  EXPECT_THAT(refusal("--unit-length --max-length 2"),
              HasSubstr("--max-length: and --unit-length are both given; choose one of them"));
  EXPECT_EQ(refusal("--contraction 1 --max-length 2"), "accepted");
}

TEST(TrainOptions, KeepsZeroAndFalseApartFromUnset) {
  ExpectRequest(Parse("--model m --data d --final-rate 0 --no-unit-norm"),
                R"(spec { model: "m" encoder { k_sparse { unit_norm_atoms: false } } preprocessing {}
                          training { final_learning_rate: 0 } dataset { name: "d" } })");
}

TEST(TrainOptions, TellsPathsFromNames) {
  for (const char* path : {"x.npy", "x.idx", "x.idx.gz", "a/b", "./fashion-mnist"}) {
    EXPECT_EQ(Parse(std::string("--model m --data ") + path).request.spec().dataset().path(), path);
  }
  EXPECT_EQ(Parse("--model m --data npy").request.spec().dataset().name(), "npy");
}

TEST(TrainOptions, TakesABaseWithOrWithoutItsVersion) {
  ExpectRequest(Parse("--model m --data d --base digits:3"),
                R"(spec { model: "m" encoder { k_sparse {} } preprocessing {} training {} dataset { name: "d" }
                          base { model: "digits" version: 3 } })");
  EXPECT_EQ(Parse("--model m --data d --base digits").request.spec().base().version(), 0u);
  for (const char* text : {":3", "digits:", "digits:0", "digits:x", "digits:3:4"}) {
    EXPECT_THROW(Parse(std::string("--model m --data d --base ") + text), CLI::ValidationError) << text;
  }
}

TEST(TrainOptions, FineTunesABase) {
  ExpectRequest(
      Parse("--model m --data d --base digits:3 --fine-tune --epochs 20 --rate 0.5 --classifier-epochs 5 "
            "--classifier-rate 0.25 --encoder-l2 0.125 --classifier-l2 2 --input-dropout 0.5 --code-dropout 0.75 "
            "--adversarial-length 1.5 --max-shift 2"),
      R"(spec { model: "m" preprocessing {} training { epochs: 20 learning_rate: 0.5 } dataset { name: "d" }
                base { model: "digits" version: 3 }
                fine_tuning { classifier_epochs: 5 classifier_rate: 0.25 encoder_l2: 0.125 classifier_l2: 2
                              input_dropout: 0.5 code_dropout: 0.75 adversarial_length: 1.5 max_shift: 2 } })");
  for (const char* arguments : {"--fine-tune", "--base b --code-dropout 0.5", "--base b --fine-tune --units 10",
                                "--base b --fine-tune --encoder k-sparse", "--base b --fine-tune --maps 3"}) {
    EXPECT_THROW(Parse(std::string("--model m --data d ") + arguments), CLI::ValidationError) << arguments;
  }
}

TEST(TrainOptions, RefusesWhatIsNoNumber) {
  EXPECT_THROW(Parse("--model m --data d --k many"), CLI::ValidationError);
  EXPECT_THROW(Parse("--model m --data d --k -3"), CLI::ValidationError);
  EXPECT_THROW(Parse("--model m --data d --units 4294967296"), CLI::ValidationError);
}

TEST(TrainOptions, NeedsModelAndData) {
  EXPECT_THROW(Parse("--data d"), CLI::RequiredError);
  EXPECT_THROW(Parse("--model m"), CLI::RequiredError);
}

TEST(TrainOptions, RefusesAnUnknownEncoder) {
  EXPECT_THROW(Parse("--model m --data d --encoder dense"), CLI::ValidationError);
}

TEST(TrainOptions, HelpShowsTheDefaultsOfTheLibrary) {
  CLI::App app;
  TrainOptions options;
  AddTrainOptions(app, &options);
  const std::string help = app.help();
  EXPECT_THAT(help, HasSubstr("Hidden units, 1 .. 1048576; default 1000"));
  EXPECT_THAT(help, HasSubstr("Momentum, 0 .. 1 without 1; default 0.9"));
  EXPECT_THAT(help, HasSubstr("Feature maps, 1 .. 65536; default 16"));
  EXPECT_THAT(help, HasSubstr("default 0.01, winner-take-all: 1.4 / (filter-size * sqrt(channels))"));
  EXPECT_THAT(help, HasSubstr("Keep every atom at unit length; default off"));
}

}  // namespace
}  // namespace kwta::client::cli
