// Arguments of the operations that winner-take-all convolutional encoders are written in; methods of Backend
// (core/backends/backend.h, which also says where pointers point).
//
// Images are [rows, channels, height, width]; every map has the size of the image, which is padded with zeros: position
// (y, x) of a map sees image rows y - (size - 1) / 2 .. y + size / 2 and columns likewise.
//
// The activity of map m at (y, x) is z = bias[m] + sum filters[m,c,dy,dx] image[c, y - (size-1)/2 + dy, x - (size-1)/2
// + dx], summed as FixedOrderConvolution says (core/simd/fixed_order_convolution.h): the same bits in any batch, on
// any path and any number of threads.
#pragma once

#include <cstdint>

namespace kwta {

// Geometry of a batch of images.
struct ImageBatch {
  int64_t rows = 0;  // may be 0
  int64_t channels = 0, height = 0, width = 0;

  int64_t positions() const { return height * width; }
  int64_t elements() const { return channels * height * width; }  // of an image
};

// Which activities survive the winner-take-all step.
enum class WinnerScope {
  kEachMap,     // the `winners` largest of each map (the paper: one; all positions: no sparsity)
  kAcrossMaps,  // the `winners` largest of all maps together (the paper's ablation, in which filters die)
};

// Winners of x: in each scope the `winners` largest activities, after ReLU, ties going to the lowest position (of
// kAcrossMaps: the lowest unit). An activity that is not above zero wins nothing: its entry is unit -1 and value 0.
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

// output = bias + sum over the winners of value * decoder filter placed around the winner's position [- target]; what
// falls outside the image is cut off. Section 2: xhat = sum W_i * z_i + b'.
struct WinnerDecodeArgs {
  const float* filters = nullptr;  // [maps, channels, size, size], the decoder's
  const float* bias = nullptr;     // [channels]
  int64_t maps = 0, size = 0;
  ImageBatch images;
  const int32_t* units = nullptr;  // [rows, entries]; -1 is skipped
  const float* values = nullptr;   // [rows, entries]
  int64_t entries = 0;
  const float* target = nullptr;  // [rows, channels, height, width] to subtract, or null
  float* output = nullptr;        // out, likewise
  double* squared_sum = nullptr;  // host, out: sum of the squares of output; or null
};

// Gradient of E = scale * sum over rows of |r|^2, r = xhat - x, through the winners only (section 2.1):
//   dz[e] = 2 scale <patch of r around the winner, decoder filter>
//   gradient_decoder[m] = sum 2 scale value[e] * patch of r;  gradient_encoder[m] = sum dz[e] * patch of x
//   gradient_bias[m] = sum dz[e];  gradient_decoder_bias[c] = sum 2 scale r
// sums over the winners e of map m of all rows; patches are padded with zeros. Every gradient is written.
struct WinnerGradientArgs {
  const float* decoder = nullptr;  // [maps, channels, decoder_size, decoder_size]
  int64_t maps = 0, encoder_size = 0, decoder_size = 0;
  ImageBatch images;
  const float* x = nullptr;         // what was encoded
  const float* residual = nullptr;  // r, as WinnerDecode gives it
  const int32_t* units = nullptr;   // [rows, entries]
  const float* values = nullptr;    // [rows, entries]
  int64_t entries = 0;
  float scale = 1;
  float* gradient_encoder = nullptr;  // out [maps, channels, encoder_size, encoder_size]
  // out, as decoder. Null if the weights are tied (encoder_size == decoder_size): then its gradient is added to
  // gradient_encoder.
  float* gradient_decoder = nullptr;
  float* gradient_bias = nullptr;          // out [maps]
  float* gradient_decoder_bias = nullptr;  // out [channels]
  int32_t* active_rows = nullptr;          // out [maps]: in how many rows the map has a winner
};

// A batch's pass through training, all of the above at once: the winners of x, what is decoded from them, its residual
// r and the gradient of E = squared_error / rows. The same as ConvWinners, WinnerDecode and WinnerGradient give, but
// that gradients may be summed over the rows in another order, which does not depend on the number of threads.
struct WinnerPassArgs {
  ConvWinnersArgs encode;               // units and values are memory to work with: [rows, entries]
  int64_t entries = 0;                  // of a row, as encode says
  const float* decoder = nullptr;       // [maps, channels, decoder_size, decoder_size]
  const float* decoder_bias = nullptr;  // [channels]
  int64_t decoder_size = 0;
  float* residual = nullptr;  // to work with: [rows, channels, height, width]
  // Out, as in WinnerGradientArgs. They mean nothing if squared_error is not finite: training has diverged.
  float* gradient_encoder = nullptr;
  float* gradient_decoder = nullptr;
  float* gradient_bias = nullptr;
  float* gradient_decoder_bias = nullptr;
  int32_t* active_rows = nullptr;
  double* squared_error = nullptr;  // host, out: sum of r^2
};

// Overlapping max-pooling. Windows start at -padding, -padding + stride, ...; positions outside the map are no
// candidates. The pooled extent is (extent + 2 padding - width) / stride + 1, rounded down: 28 with width 5, stride 3
// and padding 2 gives 10.
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
