#include "core/backends/winner_composition.h"

#include <cmath>
#include <vector>

#include "core/base/status_macros.h"

namespace kwta {

absl::Status ComposeWinnerPass(HostBackend& backend, const WinnerPassArgs& args) {
  const ConvWinnersArgs& encode = args.encode;
  KWTA_RETURN_IF_ERROR(backend.ConvWinners(encode));

  WinnerResidualArgs decode;
  decode.filters = args.decoder;
  decode.bias = args.decoder_bias;
  decode.maps = encode.maps;
  decode.size = args.decoder_size;
  decode.images = encode.images;
  decode.units = encode.units;
  decode.values = encode.values;
  decode.entries = args.entries;
  decode.output = args.residual;
  decode.target = encode.x;
  decode.squared_sum = args.squared_error;
  KWTA_RETURN_IF_ERROR(backend.WinnerResidual(decode));
  if (!std::isfinite(*args.squared_error)) return absl::OkStatus();

  std::vector<int32_t> active_rows(static_cast<size_t>(encode.maps));
  WinnerGradientArgs gradient;
  gradient.decoder = args.decoder;
  gradient.maps = encode.maps;
  gradient.encoder_size = encode.size;
  gradient.decoder_size = args.decoder_size;
  gradient.images = encode.images;
  gradient.x = encode.x;
  gradient.residual = args.residual;
  gradient.units = encode.units;
  gradient.values = encode.values;
  gradient.entries = args.entries;
  gradient.scale = 1.0f / static_cast<float>(encode.images.rows);
  gradient.gradient_encoder = args.gradient_encoder;
  gradient.gradient_decoder = args.gradient_decoder;
  gradient.gradient_bias = args.gradient_bias;
  gradient.gradient_decoder_bias = args.gradient_decoder_bias;
  gradient.active_rows = active_rows.data();
  KWTA_RETURN_IF_ERROR(backend.WinnerGradient(gradient));
  for (int64_t map = 0; map < encode.maps; ++map) args.active_rows[map] += active_rows[map];
  return absl::OkStatus();
}

}  // namespace kwta
