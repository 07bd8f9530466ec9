// Arguments of the operations that winner-take-all convolutional encoders are written in. Methods of Backend take them
// (core/backends/backend.h, which also says where pointers point).
//
// Images are [rows, channels, height, width]. Every map has the size of the image, which is padded with zeros: position
// (y, x) of a map sees image rows y - (size - 1) / 2 .. y + size / 2, and the corresponding columns.
//
// The activity of map m at (y, x) is z = bias[m] + sum filters[m,c,dy,dx] image[c, y - (size-1)/2 + dy, x - (size-1)/2
// + dx], summed in FixedOrderConvolution's order (core/simd/fixed_order_convolution.h): z has the same bits in any
// batch, on any path and any number of threads.
#pragma once

#include <cstdint>

namespace kwta {

// Geometry of a batch of images.
struct ImageBatch {
  int64_t rows = 0;  // may be 0
  int64_t channels = 0, height = 0, width = 0;

  int64_t positions() const { return height * width; }
  int64_t elements() const { return channels * height * width; }  // in one image
};

// Which activities survive the winner-take-all step.
enum class WinnerScope {
  kEachMap,     // the `winners` largest of each map (the paper: one; all positions: no sparsity)
  kAcrossMaps,  // the `winners` largest of all maps together (the paper's ablation, in which filters die)
};

// Winners of x: in each scope the `winners` largest activities, after ReLU. Ties go to the lowest position (for
// kAcrossMaps: the lowest unit). An activity that is not above zero wins nothing: its entry has unit -1 and value 0.
// Entries of a scope are in order of unit, the empty ones last.
// Makhzani & Frey, "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", section 2.1.
struct ConvWinnersArgs {
  const float* filters = nullptr;  // [maps, channels, size, size]
  const float* bias = nullptr;     // [maps]
  int64_t maps = 0, size = 0;
  ImageBatch images;
  const float* x = nullptr;  // [rows, channels, height, width], finite
  WinnerScope scope = WinnerScope::kEachMap;
  int64_t winners = 1;  // 1 .. positions, or 1 .. maps * positions
  int32_t* units =
      nullptr;              // out [rows, entries]: map * positions + y * width + x; entries = maps * winners or winners
  float* values = nullptr;  // out [rows, entries]
};

// output = bias + sum over the winners of value * decoder filter placed around the winner's position. What falls
// outside the image is cut off. Section 2: xhat = sum W_i * z_i + b'.
struct WinnerDecodeArgs {
  const float* filters = nullptr;  // [maps, channels, size, size], the decoder's
  const float* bias = nullptr;     // [channels]
  int64_t maps = 0, size = 0;
  ImageBatch images;
  const int32_t* units = nullptr;  // [rows, entries]; -1 is skipped
  const float* values = nullptr;   // [rows, entries]
  int64_t entries = 0;
  float* output = nullptr;  // out [rows, channels, height, width]
};

// One training pass over a batch: finds the winners of x, decodes them, and computes the residual r and the gradient of
// E = squared_error / rows with squared_error = sum r^2, through the winners only (section 2.1):
//   dz[e] = 2 / rows <patch of r around the winner, decoder filter>
//   gradient_decoder[m] = sum 2 / rows value[e] * patch of r;  gradient_encoder[m] = sum dz[e] * patch of x
//   gradient_bias[m] = sum dz[e];  gradient_decoder_bias[c] = sum 2 / rows r
// The sums run over the winners e of map m in all rows; patches are padded with zeros. Their order does not depend on
// the number of threads. Every gradient is written. If squared_error is not finite, training has diverged and the
// gradients mean nothing.
struct WinnerPassArgs {
  ConvWinnersArgs encode;               // units and values are scratch: [rows, entries]; rows at least 1
  int64_t entries = 0;                  // entries in a row, as encode says
  const float* decoder = nullptr;       // [maps, channels, decoder_size, decoder_size]
  const float* decoder_bias = nullptr;  // [channels]
  int64_t decoder_size = 0;
  float* residual = nullptr;          // scratch: [rows, channels, height, width]
  float* gradient_encoder = nullptr;  // out [maps, channels, size, size]
  // out, as decoder. Null if the weights are tied (decoder_size is encode.size): the decoder's gradient is then added
  // to gradient_encoder.
  float* gradient_decoder = nullptr;
  float* gradient_bias = nullptr;          // out [maps]
  float* gradient_decoder_bias = nullptr;  // out [channels]
  // in, out [maps]: grows by the number of rows in which the map has a winner, if squared_error is finite.
  int32_t* active_rows = nullptr;
  double* squared_error = nullptr;  // out
};

// Overlapping max-pooling. Windows start at -padding, -padding + stride, ...; positions outside the map do not count.
// The pooled extent is (extent + 2 padding - width) / stride + 1, rounded down: 28 becomes 10 with width 5, stride 3
// and padding 2.
struct Pooling {
  int64_t width = 1, stride = 1, padding = 0;

  int64_t Extent(int64_t extent) const { return (extent + 2 * padding - width) / stride + 1; }
};

// Pooled maps without sparsity, the encoder's final representation: the maximum over each window of max(z, 0).
// Section 2.1, "we simply turn off the sparsity regularizer ... After that, we max-pool the feature maps".
struct ConvPoolArgs {
  const float* filters = nullptr;  // [maps, channels, size, size]
  const float* bias = nullptr;     // [maps]
  int64_t maps = 0, size = 0;
  ImageBatch images;
  const float* x = nullptr;  // [rows, channels, height, width], finite
  Pooling pooling;           // padding < width, every pooled extent at least 1
  float* output = nullptr;   // out [rows, maps, pooled height, pooled width]
};

}  // namespace kwta
