// Random corruption of rows. This is the definition for every backend: the same numbers everywhere.
#pragma once

#include <cstdint>

namespace kwta {

enum class CorruptionKind {
  kNone,
  kGaussian,  // adds independent Gaussian noise of variance `amount` to every element
  kMasking,   // sets each element to zero with probability `amount`
  kDropout,   // the same, and divides the others by 1 - amount
};

// The corruption of a batch. Row i of the batch gets the numbers that `seed` draws for row first_row + i of a run, so
// they depend neither on the batches nor on the number of threads.
struct Corruption {
  CorruptionKind kind = CorruptionKind::kNone;
  float amount = 0;  // variance, at least 0; or probability, 0 .. 1
  uint64_t seed = 0;
  uint64_t first_row = 0;
};

// Dropout of a batch's hidden units: with `probability` an activity becomes zero; the others are divided by
// 1 - probability, so that the mean stays. The numbers are drawn as for a Corruption.
struct Dropout {
  float probability = 0;  // 0 .. 1, 1 excluded
  uint64_t seed = 0;
  uint64_t first_row = 0;
};

// Writes what the activities of row `row` of the batch are multiplied by, 0 or 1 / (1 - probability), to
// factors[units].
void DrawDropout(const Dropout& dropout, int64_t row, int64_t units, float* factors);

// Writes the corrupted x[width] to out, which may be x. `row` is the number of the row in its batch.
void CorruptRow(const Corruption& corruption, int64_t row, const float* x, int64_t width, float* out);

}  // namespace kwta
