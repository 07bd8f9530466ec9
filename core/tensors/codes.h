// Codes of a batch, sparse or dense, and the operations on both forms.
#pragma once

#include <cstdint>
#include <variant>

#include "core/tensors/sparse_codes.h"
#include "core/tensors/tensor.h"

namespace kwta {

// SparseCodes, or a Tensor f32 [rows, units] for an encoder whose codes are dense: every element belongs to the code.
// Plain data: concurrent reads are safe.
using Codes = std::variant<SparseCodes, Tensor>;

int64_t CodeRows(const Codes& codes);
// Returns the width of the dense code.
int64_t CodeUnits(const Codes& codes);
// Returns the bytes of the indices and values, or of all elements.
int64_t CodeBytes(const Codes& codes);

// Writes [rows, units] to `dense`, row-major, zeros included.
void ToDense(const Codes& codes, float* dense);
// Returns sparse codes unchanged, and the nonzero elements of dense codes.
SparseCodes ToSparse(Codes codes);
// As ToSparse, but does not copy sparse codes: returns `codes` itself, or converts into `scratch` and returns that.
const SparseCodes& AsSparse(const Codes& codes, SparseCodes* scratch);

// Prepares `codes` for an encoder to write to. Codes that already have the form and shape keep their memory and
// contents.
SparseCodes* SparseIn(Codes* codes);
float* DenseIn(Codes* codes, int64_t rows, int64_t units);

// RoomFor and CopyRows assemble codes of `rows` rows from pieces with the same form and units. RoomFor returns codes
// for CopyRows to fill. CopyRows copies rows begin .. begin + count - 1 of a piece to rows at .. at + count - 1 of the
// whole. REQUIRES: pieces come in order, from row 0 on.
Codes RoomFor(const Codes& like, int64_t rows);
void CopyRows(const Codes& piece, int64_t begin, int64_t count, int64_t at, Codes* whole);

}  // namespace kwta
