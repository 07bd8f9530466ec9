// Defaults, ranges and geometry of winner-take-all encoders.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/checked_math.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/winner_take_all.h"
#include "core/simd/fixed_order_convolution.h"

namespace kwta {
namespace {

constexpr uint32_t kMaxMaps = 1u << 16;
// 32 bits number the units, and the elements of an image.
constexpr uint64_t kMaxElements = std::numeric_limits<int32_t>::max();

template <typename T>
absl::Status Invalid(absl::string_view field, const T& value, absl::string_view expected) {
  return InvalidField(absl::StrCat("encoder.winner_take_all.", field), value, expected);
}

std::string ImageText(const v1::ImageShape& image) {
  return absl::StrCat(image.channels(), "x", image.height(), "x", image.width());
}

// Returns a * b * c, or nullopt if that is more than kMaxElements.
std::optional<uint64_t> CountUpToLimit(uint64_t a, uint64_t b, uint64_t c) {
  const std::optional<uint64_t> ab = CheckedMultiply(a, b);
  const std::optional<uint64_t> count = ab ? CheckedMultiply(*ab, c) : std::nullopt;
  return count && *count <= kMaxElements ? count : std::nullopt;
}

// Checks a width in pixels: 1 .. the smaller side of the image, and for filters at most the operations' limit.
absl::Status CheckWidth(const v1::WinnerTakeAllSpec& spec, absl::string_view field, uint32_t value,
                        uint32_t limit = std::numeric_limits<uint32_t>::max()) {
  const uint32_t side = std::min(spec.input().height(), spec.input().width());
  if (!spec.has_input()) {
    if (value >= 1 && value <= limit) return absl::OkStatus();
    return Invalid(field, value, "1 .. the smaller side of the image");
  }
  if (value >= 1 && value <= std::min(side, limit)) return absl::OkStatus();
  return Invalid(
      field, value,
      absl::StrCat("1 .. ", std::min(side, limit),
                   side <= limit ? ", the smaller side of the image of " : ", for images of ", ImageText(spec.input()),
                   side == 1 ? "; if rows of the data have no height and width of their own, set "
                               "encoder.winner_take_all.input"
                             : ""));
}

absl::Status CheckSigma(absl::string_view field, float value) {
  if (value > 0 && std::isfinite(value)) return absl::OkStatus();
  return Invalid(field, value, "a finite number above 0, such as 0.02");
}

absl::Status ResolveWinners(v1::WinnerTakeAllSpec* spec) {
  switch (spec->sparsity()) {
    case v1::WINNER_SPARSITY_UNSPECIFIED:
      spec->set_sparsity(v1::WINNER_SPARSITY_EACH_MAP);
      [[fallthrough]];
    case v1::WINNER_SPARSITY_EACH_MAP:
      if (!spec->has_winners()) spec->set_winners(1);
      break;
    case v1::WINNER_SPARSITY_ACROSS_MAPS:
      if (!spec->has_winners()) spec->set_winners(spec->maps());
      break;
    case v1::WINNER_SPARSITY_NONE:
      if (spec->has_winners()) {
        return Invalid("winners", spec->winners(), "no value: without sparsity every activity is kept");
      }
      return absl::OkStatus();
    default:
      return Invalid("sparsity", static_cast<int>(spec->sparsity()),
                     "WINNER_SPARSITY_EACH_MAP, WINNER_SPARSITY_ACROSS_MAPS or WINNER_SPARSITY_NONE");
  }
  const bool each_map = spec->sparsity() == v1::WINNER_SPARSITY_EACH_MAP;
  if (!spec->has_input()) {
    if (spec->winners() >= 1) return absl::OkStatus();
    return Invalid("winners", spec->winners(), each_map ? "1 .. the positions of a map" : "1 .. maps * positions");
  }
  const uint64_t positions = uint64_t{spec->input().height()} * spec->input().width();
  const uint64_t limit = each_map ? positions : positions * spec->maps();
  if (spec->winners() >= 1 && spec->winners() <= limit) return absl::OkStatus();
  return Invalid("winners", spec->winners(),
                 absl::StrCat("1 .. ", limit, each_map ? ", the positions of a map" : ", the positions of all maps"));
}

// Checks that 32 bits also number everything that filters and pooling make of the image.
absl::Status CheckSizes(const v1::WinnerTakeAllSpec& spec) {
  for (const uint64_t size : {spec.filter_size(), spec.decoder_filter_size()}) {
    if (!CountUpToLimit(uint64_t{spec.maps()} * spec.input().channels(), size, size)) {
      return Invalid("maps", spec.maps(), absl::StrCat("filters of at most ", kMaxElements, " weights together"));
    }
  }
  const Shape pooled = PooledShape(spec);
  if (!CountUpToLimit(pooled[0], pooled[1], pooled[2])) {
    return Invalid("pool_stride", spec.pool_stride(),
                   absl::StrCat("a code of at most ", kMaxElements, " elements, not ", ShapeString(pooled)));
  }
  return absl::OkStatus();
}

absl::Status CheckImage(const v1::WinnerTakeAllSpec& spec) {
  const v1::ImageShape& image = spec.input();
  if (image.channels() < 1 || image.height() < 1 || image.width() < 1) {
    return Invalid("input", ImageText(image), "channels, height and width of at least 1");
  }
  if (!CountUpToLimit(image.channels(), image.height(), image.width())) {
    return Invalid("input", ImageText(image), absl::StrCat("an image of at most ", kMaxElements, " elements"));
  }
  if (!CountUpToLimit(spec.maps(), image.height(), image.width())) {
    return Invalid("maps", spec.maps(),
                   absl::StrCat("1 .. ", kMaxElements / (uint64_t{image.height()} * image.width()),
                                ", so that the maps of an image of ", ImageText(image), " have at most ", kMaxElements,
                                " positions together"));
  }
  return absl::OkStatus();
}

constexpr SpecOption kWinnerTakeAllOptions[] = {
    {"--maps", "maps", "Feature maps, 1 .. 65536"},
    {"--filter-size", "filter_size", "Width of the encoder's filters, 1 .. the image's smaller side"},
    {"--decoder-filter-size", "decoder_filter_size", "Width of the decoder's filters", "filter-size"},
    {"--sparsity", "sparsity", "Where training looks for winners"},
    {"--winners", "winners", "Activities that training keeps in each map, or across maps", "1, across maps: maps"},
    {"--tied-weights", "tied_weights", "Decode with the encoder's filters"},
    {"--pool-width", "pool_width", "Width of the windows of max-pooling, 1 .. the image's smaller side"},
    {"--pool-stride", "pool_stride", "Distance of two windows"},
    {"--pool-padding", "pool_padding", "Zeros around the maps, 0 .. pool-width - 1", "pool-width / 2"},
    {"--init-sigma", "init_sigma", "Standard deviation of the encoder's initial weights, above 0",
     "1.4 / (filter-size * sqrt(channels))"},
    {"--decoder-init-sigma", "decoder_init_sigma", "Standard deviation of the decoder's initial filters, above 0",
     "0.02, with --base 0.001"},
    {"--biases-from-mean", "biases_from_mean", "Start the biases at the averages of the channels", "only with --base"},
    {"--image", "input", "What image a row is, if the data do not say"},
};

constexpr const char* kWinnerTakeAllTraits[] = {"filter_size", "sparsity", "winners", "tied_weights"};

// Beside the defaults of at most 1.4 and 0.02.
constexpr StrongSetting kWinnerTakeAllStrong[] = {{"init_sigma", 1.5f}, {"decoder_init_sigma", 0.2f}};

// Pooled maps of a layer below lie far from zero (docs/stacks.md).
void SetWinnerTakeAllLayerDefaults(v1::WinnerTakeAllSpec* spec) {
  if (!spec->has_biases_from_mean()) spec->set_biases_from_mean(true);
  if (!spec->has_decoder_init_sigma()) spec->set_decoder_init_sigma(0.001f);
}

Shape WinnerTakeAllCodeShape(v1::WinnerTakeAllSpec spec) {
  if (!spec.has_input() || !ResolveWinnerTakeAll(&spec).ok()) return {0};
  return PooledShape(spec);
}

}  // namespace

const EncoderKind& WinnerTakeAllKind() {
  static const EncoderKind kind = [] {
    EncoderKind row;
    row.name = "winner-take-all";
    row.kind_case = v1::EncoderSpec::kWinnerTakeAll;
    row.own_optimiser = v1::OPTIMISER_ADAM;
    row.other_optimisers = true;
    row.options = kWinnerTakeAllOptions;
    row.traits = kWinnerTakeAllTraits;
    row.strong_settings = kWinnerTakeAllStrong;
    row.resolve = [](v1::EncoderSpec* spec) { return ResolveWinnerTakeAll(spec->mutable_winner_take_all()); };
    row.set_layer_defaults = [](v1::EncoderSpec* spec) {
      SetWinnerTakeAllLayerDefaults(spec->mutable_winner_take_all());
    };
    row.fit = [](v1::EncoderSpec* spec, const Shape& row_shape) {
      return FitWinnerTakeAll(spec->mutable_winner_take_all(), row_shape);
    };
    row.code_shape = [](const v1::EncoderSpec& spec) { return WinnerTakeAllCodeShape(spec.winner_take_all()); };
    row.create_learner = [](const LearnerSetup& setup) {
      return CreateWinnerTakeAllLearner(setup.encoder.winner_take_all(), setup.training.seed(),
                                        setup.training.optimiser(), setup.backend);
    };
    row.create_encoder = CreateWinnerTakeAllEncoder;
    return row;
  }();
  return kind;
}

absl::Status ResolveWinnerTakeAll(v1::WinnerTakeAllSpec* spec) {
  if (!spec->has_maps()) spec->set_maps(16);
  if (spec->maps() < 1 || spec->maps() > kMaxMaps) {
    return Invalid("maps", spec->maps(), absl::StrCat("1 .. ", kMaxMaps));
  }
  if (spec->has_input()) KWTA_RETURN_IF_ERROR(CheckImage(*spec));
  if (!spec->has_filter_size()) spec->set_filter_size(7);
  KWTA_RETURN_IF_ERROR(CheckWidth(*spec, "filter_size", spec->filter_size(), simd::kMaxFilterSize));
  if (!spec->has_decoder_filter_size()) spec->set_decoder_filter_size(spec->filter_size());
  KWTA_RETURN_IF_ERROR(CheckWidth(*spec, "decoder_filter_size", spec->decoder_filter_size(), simd::kMaxFilterSize));
  if (!spec->has_tied_weights()) spec->set_tied_weights(false);
  if (spec->tied_weights() && spec->decoder_filter_size() != spec->filter_size()) {
    return Invalid("decoder_filter_size", spec->decoder_filter_size(),
                   absl::StrCat(spec->filter_size(), ", the filter_size, because the weights are tied"));
  }
  KWTA_RETURN_IF_ERROR(ResolveWinners(spec));
  if (!spec->has_pool_width()) spec->set_pool_width(5);
  KWTA_RETURN_IF_ERROR(CheckWidth(*spec, "pool_width", spec->pool_width()));
  if (!spec->has_pool_stride()) spec->set_pool_stride(3);
  KWTA_RETURN_IF_ERROR(CheckWidth(*spec, "pool_stride", spec->pool_stride()));
  if (!spec->has_pool_padding()) spec->set_pool_padding(spec->pool_width() / 2);
  if (spec->pool_padding() >= spec->pool_width()) {
    return Invalid("pool_padding", spec->pool_padding(),
                   absl::StrCat("0 .. ", spec->pool_width() - 1, ", less than the pool_width"));
  }
  if (!spec->has_decoder_init_sigma()) spec->set_decoder_init_sigma(0.02f);
  KWTA_RETURN_IF_ERROR(CheckSigma("decoder_init_sigma", spec->decoder_init_sigma()));
  if (!spec->has_init_sigma() && spec->has_input()) {
    spec->set_init_sigma(
        static_cast<float>(0.2 * 7 / (spec->filter_size() * std::sqrt(static_cast<double>(spec->input().channels())))));
  }
  if (spec->has_init_sigma()) KWTA_RETURN_IF_ERROR(CheckSigma("init_sigma", spec->init_sigma()));
  return spec->has_input() ? CheckSizes(*spec) : absl::OkStatus();
}

absl::Status FitWinnerTakeAll(v1::WinnerTakeAllSpec* spec, const Shape& row_shape) {
  const int64_t width = ElementCount(row_shape);
  if (!spec->has_input()) {
    if (row_shape.size() != 2 && row_shape.size() != 3) {
      return absl::InvalidArgumentError(
          absl::StrCat("the rows are of shape ", ShapeString(row_shape),
                       ", which is no image; expected [height, width] or [channels, height, width], or say in "
                       "encoder.winner_take_all.input what image a row is"));
    }
    const size_t first = row_shape.size() - 2;
    v1::ImageShape* input = spec->mutable_input();
    input->set_channels(first == 0 ? 1 : static_cast<uint32_t>(row_shape[0]));
    input->set_height(static_cast<uint32_t>(row_shape[first]));
    input->set_width(static_cast<uint32_t>(row_shape[first + 1]));
  }
  KWTA_RETURN_IF_ERROR(ResolveWinnerTakeAll(spec));
  const int64_t expected = ImagesOf(*spec, 1).elements();
  if (width == expected) return absl::OkStatus();
  return Invalid("input", ImageText(spec->input()),
                 absl::StrCat("an image of ", width, " elements, as the rows have (", ShapeString(row_shape),
                              "), not of ", expected));
}

ImageBatch ImagesOf(const v1::WinnerTakeAllSpec& spec, int64_t rows) {
  return {rows, spec.input().channels(), spec.input().height(), spec.input().width()};
}

Pooling PoolingOf(const v1::WinnerTakeAllSpec& spec) {
  return {spec.pool_width(), spec.pool_stride(), spec.pool_padding()};
}

Shape PooledShape(const v1::WinnerTakeAllSpec& spec) {
  const Pooling pooling = PoolingOf(spec);
  return {spec.maps(), pooling.Extent(spec.input().height()), pooling.Extent(spec.input().width())};
}

TrainingWinners WinnersOf(const v1::WinnerTakeAllSpec& spec) {
  const int64_t maps = spec.maps(), winners = spec.winners(), positions = ImagesOf(spec, 1).positions();
  switch (spec.sparsity()) {
    case v1::WINNER_SPARSITY_ACROSS_MAPS:
      return {WinnerScope::kAcrossMaps, winners, winners};
    case v1::WINNER_SPARSITY_NONE:
      return {WinnerScope::kEachMap, positions, maps * positions};
    default:
      return {WinnerScope::kEachMap, winners, maps * winners};
  }
}

Shape FilterShape(const v1::WinnerTakeAllSpec& spec) {
  return {spec.maps(), spec.input().channels(), spec.filter_size(), spec.filter_size()};
}

Shape DecoderFilterShape(const v1::WinnerTakeAllSpec& spec) {
  return {spec.maps(), spec.input().channels(), spec.decoder_filter_size(), spec.decoder_filter_size()};
}

}  // namespace kwta
