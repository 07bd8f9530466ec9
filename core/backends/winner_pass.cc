// WinnerPass as the operations that it is made of.
#include <cmath>

#include "core/backends/backend.h"
#include "core/base/status_macros.h"

namespace kwta {

absl::Status Backend::WinnerPass(const WinnerPassArgs& args) {
  const ConvWinnersArgs& encode = args.encode;
  KWTA_RETURN_IF_ERROR(ConvWinners(encode));

  WinnerDecodeArgs decode;
  decode.filters = args.decoder;
  decode.bias = args.decoder_bias;
  decode.maps = encode.maps;
  decode.size = args.decoder_size;
  decode.images = encode.images;
  decode.units = encode.units;
  decode.values = encode.values;
  decode.entries = args.entries;
  decode.target = encode.x;
  decode.output = args.residual;
  decode.squared_sum = args.squared_error;
  KWTA_RETURN_IF_ERROR(WinnerDecode(decode));
  if (!std::isfinite(*args.squared_error)) return absl::OkStatus();

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
  gradient.active_rows = args.active_rows;
  return WinnerGradient(gradient);
}

}  // namespace kwta
