// Rows whose codes by FakeServer are known.
#pragma once

#include <string>

#include "client/encode_types.h"
#include "client/options.h"

namespace kwta::client {

// Options for tests: short pauses between attempts.
Options QuickOptions(const std::string& address);

// Bytes [rows, width]; the first byte of row r is r % 251.
Tensor MadeUpRows(int64_t rows, int64_t width = 4);

// Expects the codes that FakeServer gives to rows first_row .. first_row + rows - 1 of MadeUpRows.
void ExpectMadeUpCodes(const EncodeResult& result, int64_t first_row, int64_t rows, int k);

}  // namespace kwta::client
