// Defaults, ranges and geometry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/encoders/encoder_registry.h"
#include "core/encoders/winner_take_all.h"

namespace kwta::winner_take_all_spec_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Spec = v1::WinnerTakeAllSpec;

TEST(ResolveWinnerTakeAll, FillsInThePapersDefaults) {
  v1::EncoderSpec encoder;
  encoder.mutable_winner_take_all();
  ASSERT_EQ(ResolveEncoder(&encoder), absl::OkStatus());
  EXPECT_FALSE(encoder.winner_take_all().has_input());
  ASSERT_EQ(FitEncoder(&encoder, {28, 28}), absl::OkStatus());
  const Spec& spec = encoder.winner_take_all();
  EXPECT_EQ(spec.maps(), 16u);
  EXPECT_EQ(spec.filter_size(), 7u);
  EXPECT_EQ(spec.decoder_filter_size(), 7u);
  EXPECT_EQ(spec.sparsity(), v1::WINNER_SPARSITY_EACH_MAP);
  EXPECT_EQ(spec.winners(), 1u);
  EXPECT_TRUE(spec.has_tied_weights());
  EXPECT_EQ(spec.pool_width(), 5u);
  EXPECT_EQ(spec.pool_stride(), 3u);
  EXPECT_EQ(spec.pool_padding(), 2u);
  EXPECT_FLOAT_EQ(spec.init_sigma(), 0.2f);
  EXPECT_FLOAT_EQ(spec.decoder_init_sigma(), 0.02f);
  EXPECT_EQ(spec.input().channels(), 1u);
  EXPECT_THAT(PooledShape(spec), ElementsAre(16, 10, 10));
  const std::string once = encoder.SerializeAsString();
  ASSERT_EQ(ResolveEncoder(&encoder), absl::OkStatus());
  EXPECT_EQ(encoder.SerializeAsString(), once);
}

TEST(ResolveWinnerTakeAll, FollowsTheShapeOfTheRows) {
  Spec colour;
  colour.set_filter_size(9);
  colour.set_pool_stride(4);
  ASSERT_EQ(FitWinnerTakeAll(&colour, {3, 32, 32}), absl::OkStatus());
  EXPECT_THAT(FilterShape(colour), ElementsAre(16, 3, 9, 9));
  EXPECT_THAT(PooledShape(colour), ElementsAre(16, 8, 8));
  EXPECT_NEAR(colour.init_sigma(), 0.2 * 7 / (9 * std::sqrt(3.0)), 1e-7);

  Spec named;  // rows without a shape of their own
  named.mutable_input()->set_channels(2);
  named.mutable_input()->set_height(7);
  named.mutable_input()->set_width(8);
  ASSERT_EQ(FitWinnerTakeAll(&named, {112}), absl::OkStatus());
  EXPECT_EQ(ImagesOf(named, 5).elements(), 112);
}

TEST(ResolveWinnerTakeAll, KnowsWhatTrainingKeeps) {
  Spec spec;
  spec.set_maps(10);
  ASSERT_EQ(FitWinnerTakeAll(&spec, {8, 9}), absl::OkStatus());
  EXPECT_EQ(WinnersOf(spec).entries, 10);
  spec.set_winners(3);
  EXPECT_EQ(WinnersOf(spec).entries, 30);
  spec.clear_winners();
  spec.set_sparsity(v1::WINNER_SPARSITY_ACROSS_MAPS);
  ASSERT_EQ(ResolveWinnerTakeAll(&spec), absl::OkStatus());
  EXPECT_EQ(WinnersOf(spec).scope, WinnerScope::kAcrossMaps);
  EXPECT_EQ(WinnersOf(spec).entries, 10);
  spec.clear_winners();
  spec.set_sparsity(v1::WINNER_SPARSITY_NONE);
  ASSERT_EQ(ResolveWinnerTakeAll(&spec), absl::OkStatus());
  EXPECT_EQ(WinnersOf(spec).entries, 720);
}

template <typename Change>
std::string Refusal(const Shape& rows, const Change& change) {
  Spec spec;
  change(&spec);
  absl::Status status = ResolveWinnerTakeAll(&spec);
  if (status.ok()) status = FitWinnerTakeAll(&spec, rows);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ResolveWinnerTakeAll, RefusesWhatNoImageCouldFit) {
  const auto refusal = [](void (*change)(Spec*)) {
    Spec spec;
    change(&spec);
    const absl::Status status = ResolveWinnerTakeAll(&spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal([](Spec* s) { s->set_maps(0); }),
              HasSubstr("encoder.winner_take_all.maps is 0; expected 1 .. 65536"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_maps(65537); }), HasSubstr("maps is 65537"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_filter_size(0); }),
              HasSubstr("filter_size is 0; expected 1 .. the smaller side of the image"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_filter_size(1025); }), HasSubstr("filter_size is 1025"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_winners(0); }), HasSubstr("winners is 0; expected 1 .. "));
  EXPECT_THAT(refusal([](Spec* s) {
                s->set_sparsity(v1::WINNER_SPARSITY_ACROSS_MAPS);
                s->set_winners(0);
              }),
              HasSubstr("winners is 0; expected 1 .. maps * positions"));
  EXPECT_THAT(refusal([](Spec* s) {
                s->set_sparsity(v1::WINNER_SPARSITY_NONE);
                s->set_winners(2);
              }),
              HasSubstr("without sparsity every activity is kept"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_sparsity(static_cast<v1::WinnerSparsity>(9)); }),
              HasSubstr("sparsity is 9"));
  EXPECT_THAT(refusal([](Spec* s) {
                s->set_tied_weights(true);
                s->set_decoder_filter_size(5);
              }),
              HasSubstr("decoder_filter_size is 5; expected 7, the filter_size, because the weights are tied"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_pool_width(0); }), HasSubstr("pool_width is 0"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_pool_stride(0); }), HasSubstr("pool_stride is 0"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_pool_padding(5); }), HasSubstr("pool_padding is 5; expected 0 .. 4"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_init_sigma(0); }), HasSubstr("init_sigma is 0"));
  EXPECT_THAT(refusal([](Spec* s) { s->set_decoder_init_sigma(std::nanf("")); }),
              HasSubstr("decoder_init_sigma is nan"));
  EXPECT_THAT(refusal([](Spec* s) { s->mutable_input()->set_channels(1); }), HasSubstr("input is 1x0x0"));
}

TEST(FitWinnerTakeAll, RefusesWhatThisImageDoesNotFit) {
  EXPECT_THAT(Refusal({28, 20}, [](Spec* s) { s->set_filter_size(21); }),
              HasSubstr("filter_size is 21; expected 1 .. 20, the smaller side of the image of 1x28x20"));
  EXPECT_THAT(Refusal({28, 20}, [](Spec* s) { s->set_decoder_filter_size(21); }),
              HasSubstr("decoder_filter_size is 21; expected 1 .. 20"));
  EXPECT_THAT(Refusal({8, 9}, [](Spec* s) { s->set_pool_width(9); }), HasSubstr("pool_width is 9; expected 1 .. 8"));
  EXPECT_THAT(Refusal({8, 9}, [](Spec* s) { s->set_pool_stride(9); }), HasSubstr("pool_stride is 9; expected 1 .. 8"));
  EXPECT_THAT(Refusal({8, 9}, [](Spec* s) { s->set_winners(73); }),
              HasSubstr("winners is 73; expected 1 .. 72, the positions of a map"));
  EXPECT_THAT(Refusal({8, 9},
                      [](Spec* s) {
                        s->set_maps(2);
                        s->set_sparsity(v1::WINNER_SPARSITY_ACROSS_MAPS);
                        s->set_winners(145);
                      }),
              HasSubstr("winners is 145; expected 1 .. 144, the positions of all maps"));
  EXPECT_THAT(Refusal({784}, [](Spec*) {}), HasSubstr("the rows are of shape [784], which is no image"));
  EXPECT_THAT(Refusal({2, 3, 8, 8}, [](Spec*) {}), HasSubstr("which is no image"));
  EXPECT_THAT(
      Refusal({28, 28},
              [](Spec* s) {
                s->mutable_input()->set_channels(3);
                s->mutable_input()->set_height(16);
                s->mutable_input()->set_width(16);
              }),
      HasSubstr("input is 3x16x16; expected an image of 784 elements, as the rows have ([28, 28]), not of 768"));
}

TEST(FitWinnerTakeAll, RefusesSizesThatCannotBeNumbered) {
  const auto input = [](Spec* s, uint32_t channels, uint32_t height, uint32_t width) {
    s->mutable_input()->set_channels(channels);
    s->mutable_input()->set_height(height);
    s->mutable_input()->set_width(width);
  };
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  EXPECT_THAT(Refusal({1}, [&](Spec* s) { input(s, kMost, kMost, kMost); }),
              HasSubstr("an image of at most 2147483647 elements"));
  EXPECT_THAT(Refusal({1},
                      [&](Spec* s) {
                        s->set_maps(65536);
                        input(s, 1, 256, 256);
                      }),
              HasSubstr("maps is 65536; expected 1 .. 32767"));
  EXPECT_THAT(Refusal({1},
                      [&](Spec* s) {
                        s->set_maps(65536);
                        s->set_filter_size(9);
                        input(s, 65536, 9, 9);
                      }),
              HasSubstr("filters of at most 2147483647 weights together"));
}

TEST(ResolveOptimiser, TakesTheEncodersOwnAndRefusesOthers) {
  v1::EncoderSpec k_sparse, winner_take_all;
  k_sparse.mutable_k_sparse();
  winner_take_all.mutable_winner_take_all();
  v1::TrainingSpec training;
  ASSERT_EQ(ResolveOptimiser(k_sparse, &training), absl::OkStatus());
  EXPECT_EQ(training.optimiser(), v1::OPTIMISER_SGD);
  ASSERT_EQ(ResolveOptimiser(winner_take_all, &training), absl::OkStatus());
  EXPECT_EQ(training.optimiser(), v1::OPTIMISER_SGD);
  training.clear_optimiser();
  ASSERT_EQ(ResolveOptimiser(winner_take_all, &training), absl::OkStatus());
  EXPECT_EQ(training.optimiser(), v1::OPTIMISER_ADAM);
  absl::Status status = ResolveOptimiser(k_sparse, &training);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("training.optimiser is OPTIMISER_ADAM; expected OPTIMISER_SGD, with which k-sparse encoders"));
  training.set_optimiser(static_cast<v1::Optimiser>(7));
  status = ResolveOptimiser(winner_take_all, &training);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training.optimiser is 7"));
}

}  // namespace
}  // namespace kwta::winner_take_all_spec_test
