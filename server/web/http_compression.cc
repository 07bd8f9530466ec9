#include "server/web/http_compression.h"

#include <zlib.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace kwta::server {
namespace {

constexpr int kGzipHeader = 16;  // zlib's way of saying gzip

// "gzip;q=0.5": the weight, 1 if there is none.
double WeightOf(absl::string_view parameters) {
  for (const absl::string_view parameter : absl::StrSplit(parameters, ';')) {
    const absl::string_view text = absl::StripAsciiWhitespace(parameter);
    double weight = 1;
    if (absl::StartsWithIgnoreCase(text, "q=")) return absl::SimpleAtod(text.substr(2), &weight) ? weight : 0;
  }
  return 1;
}

}  // namespace

bool TakesGzip(absl::string_view accept_encoding) {
  for (const absl::string_view coding : absl::StrSplit(accept_encoding, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(coding, absl::MaxSplits(';', 1));
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts.first), "gzip")) return WeightOf(parts.second) > 0;
  }
  return false;
}

std::string GzipOf(absl::string_view body) {
  z_stream stream = {};
  constexpr int kMemoryLevel = 9;
  if (::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzipHeader, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
    return "";
  }
  std::string compressed(::deflateBound(&stream, body.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  const bool complete = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
  compressed.resize(complete ? stream.total_out : 0);
  ::deflateEnd(&stream);
  return compressed;
}

}  // namespace kwta::server
