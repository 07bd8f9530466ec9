#include "core/io/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int kGzipWindow = 15 + 16;  // The largest window; 16 asks for gzip's header and trailer.

}  // namespace

struct GzipReader::State {
  explicit State(InputFile opened) : file(std::move(opened)) {
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  ~State() { inflateEnd(&stream); }

  absl::Status Corrupt(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("'", file.path(), "': ", what));
  }

  absl::Status Refill() {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(input.size(), file.size() - position));
    KWTA_RETURN_IF_ERROR(file.ReadAt(position, input.data(), count));
    position += count;
    stream.next_in = input.data();
    stream.avail_in = static_cast<uInt>(count);
    return absl::OkStatus();
  }

  // Skips zeros. Leaves either no input, at the end of the file, or input that starts with another byte than zero.
  absl::Status SkipZeros() {
    do {
      if (stream.avail_in == 0) KWTA_RETURN_IF_ERROR(Refill());
      while (stream.avail_in > 0 && *stream.next_in == 0) {
        ++stream.next_in;
        --stream.avail_in;
      }
    } while (stream.avail_in == 0 && position < file.size());
    return absl::OkStatus();
  }

  InputFile file;
  uint64_t position = 0;  // Bytes of the file handed to zlib.
  bool ended = false;
  z_stream stream = {};
  std::array<unsigned char, 1 << 16> input;
};

absl::StatusOr<bool> GzipReader::IsGzip(const InputFile& file) {
  std::array<unsigned char, 2> magic;
  if (file.size() < magic.size()) return false;
  KWTA_RETURN_IF_ERROR(file.ReadAt(0, magic.data(), magic.size()));
  return magic[0] == 0x1F && magic[1] == 0x8B;
}

GzipReader::GzipReader(InputFile file) : state_(std::make_unique<State>(std::move(file))) {}
GzipReader::GzipReader(GzipReader&&) noexcept = default;
GzipReader& GzipReader::operator=(GzipReader&&) noexcept = default;
GzipReader::~GzipReader() = default;

const InputFile& GzipReader::file() const { return state_->file; }

absl::StatusOr<size_t> GzipReader::Read(void* out, size_t bytes) {
  z_stream& stream = state_->stream;
  unsigned char* to = static_cast<unsigned char*>(out);
  size_t left = bytes;
  while (left > 0 && !state_->ended) {
    if (stream.avail_in == 0) {
      KWTA_RETURN_IF_ERROR(state_->Refill());
      if (stream.avail_in == 0) return state_->Corrupt("gzip data are cut short");
    }
    const uInt room = static_cast<uInt>(std::min<size_t>(left, std::numeric_limits<uInt>::max()));
    stream.next_out = to;
    stream.avail_out = room;
    const int result = inflate(&stream, Z_NO_FLUSH);
    to += room - stream.avail_out;
    left -= room - stream.avail_out;
    if (result == Z_STREAM_END) {
      // A gzip file may have several members, whose contents follow one another, and zeros as padding.
      KWTA_RETURN_IF_ERROR(state_->SkipZeros());
      state_->ended = stream.avail_in == 0;
      if (!state_->ended) inflateReset(&stream);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return state_->Corrupt(
          absl::StrCat("gzip data are corrupt: ", stream.msg == nullptr ? zError(result) : stream.msg));
    }
  }
  return bytes - left;
}

uint64_t GzipReader::MaxInflatedBytes(uint64_t compressed) {
  // Deflate writes at most 258 bytes for 2 bits of input.
  constexpr uint64_t kMaxRatio = 1032;
  return compressed > std::numeric_limits<uint64_t>::max() / kMaxRatio ? std::numeric_limits<uint64_t>::max()
                                                                       : compressed * kMaxRatio;
}

}  // namespace kwta
