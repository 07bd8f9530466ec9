// WinnerResidual and WinnerGradient of the oneDNN backend against the reference's loops, on every instruction set.
#include <string>
#include <vector>

#include "core/backends/onednn/winners/winner_decode.h"
#include "core/backends/onednn/winners/winner_gradient.h"
#include "core/backends/reference/winner_operations.h"
#include "tests/core/backends/conformance.h"

namespace kwta::onednn::winners::patch_kernels_test {
namespace {

class PatchKernelsTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  // Winners anywhere, some places empty; filters of both sizes.
  void ExpectReference(const ImageBatch& images, int64_t maps, int64_t entries, int64_t encoder_size,
                       int64_t decoder_size) {
    SCOPED_TRACE(testing::Message() << images.height << " x " << images.width << ", sizes " << encoder_size << " and "
                                    << decoder_size);
    const bool tied = encoder_size == decoder_size;
    Rng rng(3);
    std::vector<int32_t> units(images.rows * entries);
    for (int32_t& unit : units) unit = static_cast<int32_t>(rng.UniformBelow(maps * images.positions() + 1)) - 1;
    const std::vector<float> values = Gaussians(images.rows * entries, 4);
    const std::vector<float> filters = Gaussians(maps * images.channels * decoder_size * decoder_size, 5, 0.3);
    const std::vector<float> bias = Gaussians(images.channels, 6), x = Gaussians(images.rows * images.elements(), 7);

    std::vector<float> expected(x.size()), actual(x.size(), -7.0f);
    double expected_sum = 0, actual_sum = 0;
    WinnerResidualArgs decode{{filters.data(), bias.data(), maps, decoder_size, images, units.data(), values.data(),
                               entries, expected.data()},
                              x.data(),
                              &expected_sum};
    ReferenceWinnerResidual(decode);
    decode.output = actual.data();
    decode.squared_sum = &actual_sum;
    ASSERT_EQ(WinnerResidual(context_, PatchKernelsFor(GetParam()), decode), absl::OkStatus());
    ExpectClose(actual, expected, 1e-5, 1e-6);
    EXPECT_NEAR(actual_sum, expected_sum, 1e-5 * (1 + expected_sum));

    Gradients wanted(images, maps, encoder_size, decoder_size), got(images, maps, encoder_size, decoder_size);
    WinnerGradientArgs gradient;
    gradient.decoder = filters.data();
    gradient.maps = maps;
    gradient.encoder_size = encoder_size;
    gradient.decoder_size = decoder_size;
    gradient.images = images;
    gradient.x = x.data();
    gradient.residual = expected.data();
    gradient.units = units.data();
    gradient.values = values.data();
    gradient.entries = entries;
    gradient.scale = 0.1f;
    ReferenceWinnerGradient(wanted.Into(gradient, tied));
    ASSERT_EQ(WinnerGradient(context_, PatchKernelsFor(GetParam()), got.Into(gradient, tied)), absl::OkStatus());
    ExpectClose(got.encoder, wanted.encoder, 1e-4, 1e-5);
    ExpectClose(got.decoder, wanted.decoder, 1e-4, 1e-5);
    ExpectClose(got.bias, wanted.bias, 1e-4, 1e-5);
    ExpectClose(got.decoder_bias, wanted.decoder_bias, 1e-4, 1e-5);
    EXPECT_EQ(got.active_rows, wanted.active_rows);
  }

  struct Gradients {
    Gradients(const ImageBatch& images, int64_t maps, int64_t encoder_size, int64_t decoder_size)
        : encoder(maps * images.channels * encoder_size * encoder_size, -7.0f),
          decoder(maps * images.channels * decoder_size * decoder_size, -7.0f),
          bias(maps, -7.0f),
          decoder_bias(images.channels, -7.0f),
          active_rows(maps, -7) {}

    WinnerGradientArgs Into(WinnerGradientArgs args, bool tied) {
      args.gradient_encoder = encoder.data();
      args.gradient_decoder = tied ? nullptr : decoder.data();
      args.gradient_bias = bias.data();
      args.gradient_decoder_bias = decoder_bias.data();
      args.active_rows = active_rows.data();
      return args;
    }

    std::vector<float> encoder, decoder, bias, decoder_bias;
    std::vector<int32_t> active_rows;
  };

  support::Context context_{2, GetParam(), support::Filter::kFloats};
};

TEST_P(PatchKernelsTest, EverySizeOfFilter) {
  for (int64_t size = 1; size <= 19; ++size) {
    ExpectReference({3, 1, 9, 11}, 4, 6, size, size);
    ExpectReference({2, 2, 6, 7}, 3, 5, size, 1 + (size + 4) % 10);
  }
}

TEST_P(PatchKernelsTest, EveryWidthOfImage) {
  for (int64_t width = 1; width <= 34; ++width) ExpectReference({2, 1, 4, width}, 5, 7, 7, 5);
}

TEST_P(PatchKernelsTest, ManyChannels) {
  for (int64_t channels : {15, 16, 17, 24, 29}) {
    ExpectReference({3, channels, 5, 6}, 3, 4, 5, 5);
    ExpectReference({2, channels, 4, 3}, 2, 3, 1, 4);
    ExpectReference({2, channels, 3, 4}, 2, 3, 3, 1);
  }
}

// More images and winners than are decoded at the same time.
TEST_P(PatchKernelsTest, ManyChannelsOfManyImages) {
  ExpectReference({13, 70, 6, 6}, 90, 130, 3, 3);
  ExpectReference({3, 256, 30, 30}, 2, 3, 3, 3);  // of which one image is more than is decoded at the same time
}

TEST_P(PatchKernelsTest, NoImages) { ExpectReference({0, 1, 4, 4}, 3, 3, 3, 3); }

INSTANTIATE_TEST_SUITE_P(All, PatchKernelsTest, testing::ValuesIn(simd::AvailableInstructionSets()),
                         [](const auto& info) { return std::string(simd::InstructionSetName(info.param)); });

}  // namespace
}  // namespace kwta::onednn::winners::patch_kernels_test
