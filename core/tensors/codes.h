// Codes of a batch in the form in which an encoder makes them, and what can be done with them whichever it is.
#pragma once

#include <cstdint>
#include <variant>

#include "core/tensors/sparse_codes.h"
#include "core/tensors/tensor.h"

namespace kwta {

// SparseCodes, or a Tensor f32 [rows, units] if codes are dense by nature, every element being a part of them. Plain
// data: concurrent reads are safe.
using Codes = std::variant<SparseCodes, Tensor>;

int64_t CodeRows(const Codes& codes);
// Width of the dense code.
int64_t CodeUnits(const Codes& codes);
// Of indices and values, or of all elements.
int64_t CodeBytes(const Codes& codes);

// Writes [rows, units] row-major, zeros included, to dense.
void ToDense(const Codes& codes, float* dense);
// Sparse codes as they are; of dense codes the elements that are not zero.
SparseCodes ToSparse(Codes codes);
// The same without a copy of sparse codes: these themselves, else `scratch`, which then holds them.
const SparseCodes& AsSparse(const Codes& codes, SparseCodes* scratch);

// What an encoder writes to. Codes that are in that form already, for tensors of that shape, keep their memory and what
// is in it.
SparseCodes* SparseIn(Codes* codes);
float* DenseIn(Codes* codes, int64_t rows, int64_t units);

// Codes of `rows` rows are put together from pieces that are alike in form and units: RoomFor gives what CopyRows
// fills, with rows begin .. begin + count - 1 of a piece that are rows at .. at + count - 1 of the whole. REQUIRES: the
// pieces are in order, from row 0 on.
Codes RoomFor(const Codes& like, int64_t rows);
void CopyRows(const Codes& piece, int64_t begin, int64_t count, int64_t at, Codes* whole);

}  // namespace kwta
