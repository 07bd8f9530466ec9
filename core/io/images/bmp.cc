#include "core/io/images/bmp.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr size_t kFileHeaderBytes = 14;
constexpr uint32_t kCoreHeaderBytes = 12;   // of OS/2: extents of 16 bits, palettes of 3 bytes an entry
constexpr uint32_t kInfoHeaderBytes = 40;   // and longer ones, which begin alike
constexpr uint32_t kAlphaHeaderBytes = 56;  // and longer ones have masks of the channels and of transparency
constexpr std::array<uint32_t, 6> kHeaderBytes = {kCoreHeaderBytes, kInfoHeaderBytes, 52, kAlphaHeaderBytes, 108, 124};
constexpr uint32_t kUncompressed = 0;
constexpr uint32_t kMasks = 3;
constexpr uint32_t kMasksWithAlpha = 6;

using Colour = std::array<uint8_t, 3>;  // red, green, blue

struct BmpHeader {
  int64_t height = 0, width = 0;
  bool top_down = false;
  int bits = 0;  // of a pixel
  size_t pixels_at = 0;
  std::vector<Colour> palette;                // of at most 8 bits
  std::array<int, 3> channel_at = {2, 1, 0};  // of 24 and 32 bits: the byte of red, green and blue in a pixel
  int64_t line_bytes() const { return (width * bits + 31) / 32 * 4; }
};

class BmpReader {
 public:
  BmpReader(absl::string_view file, const std::string& name) : file_(file), name_(name) {}

  absl::Status Damaged(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("'", name_, "' is not a BMP file, or a damaged one: ", what));
  }
  absl::Status Refuse(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("'", name_, "' has ", what));
  }

  absl::StatusOr<BmpHeader> ReadHeader() const {
    BmpHeader header;
    if (!absl::StartsWith(file_, "BM") || file_.size() < kFileHeaderBytes + 4) return Damaged("it has no header");
    const uint32_t header_bytes = Number(kFileHeaderBytes, 4);
    const bool core = header_bytes == kCoreHeaderBytes;
    if (std::find(kHeaderBytes.begin(), kHeaderBytes.end(), header_bytes) == kHeaderBytes.end()) {
      return Damaged("its header has no known form");
    }
    if (file_.size() < kFileHeaderBytes + header_bytes) return Damaged("it is cut short");
    header.pixels_at = Number(10, 4);
    header.width = core ? int64_t{Number(18, 2)} : int64_t{static_cast<int32_t>(Number(18, 4))};
    header.height = core ? int64_t{Number(20, 2)} : int64_t{static_cast<int32_t>(Number(22, 4))};
    header.bits = static_cast<int>(Number(core ? 24 : 28, 2));
    header.top_down = header.height < 0;
    header.height = header.top_down ? -header.height : header.height;
    if (header.width < 1 || header.height < 1) return Damaged("it has no pixels");
    const uint32_t compression = core ? kUncompressed : Number(30, 4);
    if (header.bits == 16) return Refuse("16 bits a pixel, which are no bytes; save it with 24");
    KWTA_RETURN_IF_ERROR(CheckCompression(compression, header_bytes, &header));
    if (header.bits <= 8) return ReadPalette(header_bytes, std::move(header));
    return header;
  }

 private:
  // REQUIRES: the file is long enough.
  uint32_t Number(size_t at, int bytes) const {
    uint32_t number = 0;
    for (int i = bytes - 1; i >= 0; --i) number = number << 8 | static_cast<uint8_t>(file_[at + i]);
    return number;
  }

  // Also finds the bytes of the channels.
  absl::Status CheckCompression(uint32_t compression, uint32_t header_bytes, BmpHeader* header) const {
    const bool masked = compression == kMasks || compression == kMasksWithAlpha;
    if (compression != kUncompressed && !masked) return Refuse("compressed pixels; save it without compression");
    const std::array<int, 5> known = {1, 4, 8, 24, 32};
    if (std::find(known.begin(), known.end(), header->bits) == known.end() || (masked && header->bits != 32)) {
      return Refuse(absl::StrCat(header->bits, " bits a pixel; expected 1, 4, 8, 24 or 32"));
    }
    if (!masked) return absl::OkStatus();
    // Without masks in the header they come after it.
    const size_t at = kFileHeaderBytes + kInfoHeaderBytes;
    const bool alpha = compression == kMasksWithAlpha || header_bytes >= kAlphaHeaderBytes;
    if (file_.size() < at + (alpha ? 16 : 12)) return Damaged("it is cut short");
    if (alpha && Number(at + 12, 4) != 0) {
      return Refuse("transparency; expected a grey or RGB picture without an alpha channel");
    }
    for (int channel = 0; channel < 3; ++channel) {
      const uint32_t mask = Number(at + 4 * channel, 4);
      int byte = 0;
      while (byte < 4 && mask != uint32_t{0xFF} << 8 * byte) ++byte;
      if (byte == 4) return Refuse("channels that are no bytes; save it with 24 bits a pixel");
      header->channel_at[channel] = byte;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<BmpHeader> ReadPalette(uint32_t header_bytes, BmpHeader header) const {
    const bool core = header_bytes == kCoreHeaderBytes;
    const size_t entry_bytes = core ? 3 : 4;
    const uint32_t most = uint32_t{1} << header.bits;
    uint32_t entries = core ? most : Number(46, 4);
    if (entries == 0) entries = most;
    if (entries > most) return Damaged("its palette has more colours than its pixels can name");
    const size_t at = kFileHeaderBytes + header_bytes;
    if (file_.size() < at + entries * entry_bytes) return Damaged("its palette is cut short");
    for (uint32_t i = 0; i < entries; ++i) {
      const size_t entry = at + i * entry_bytes;
      header.palette.push_back({static_cast<uint8_t>(file_[entry + 2]), static_cast<uint8_t>(file_[entry + 1]),
                                static_cast<uint8_t>(file_[entry])});
    }
    return header;
  }

  const absl::string_view file_;
  const std::string& name_;
};

// Returns the number that pixel x of a line names in the palette.
size_t PaletteNumber(const uint8_t* line, int64_t x, int bits) {
  const int64_t bit = x * bits;
  return line[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1);
}

}  // namespace

absl::StatusOr<Image> DecodeBmp(absl::string_view file, const std::string& name, int64_t max_pixels) {
  const BmpReader reader(file, name);
  KWTA_ASSIGN_OR_RETURN(const BmpHeader header, reader.ReadHeader());
  if (header.width > max_pixels / header.height) {
    return reader.Refuse(
        absl::StrCat(header.height, " x ", header.width, " pixels; at most ", max_pixels, " are accepted"));
  }
  const auto needed = static_cast<uint64_t>(header.line_bytes()) * static_cast<uint64_t>(header.height);
  if (header.pixels_at > file.size() || needed > file.size() - header.pixels_at) {
    return reader.Damaged("it is cut short");
  }
  const bool grey = !header.palette.empty() &&
                    std::all_of(header.palette.begin(), header.palette.end(),
                                [](const Colour& colour) { return colour[0] == colour[1] && colour[1] == colour[2]; });
  Image image{grey ? 1 : 3, header.height, header.width, {}};
  image.pixels.reserve(image.channels * image.height * image.width);
  for (int64_t y = 0; y < header.height; ++y) {
    const int64_t stored = header.top_down ? y : header.height - 1 - y;
    const auto* const line =
        reinterpret_cast<const uint8_t*>(file.data()) + header.pixels_at + stored * header.line_bytes();
    for (int64_t x = 0; x < header.width; ++x) {
      if (header.bits > 8) {
        const uint8_t* const pixel = line + x * header.bits / 8;
        for (const int at : header.channel_at) image.pixels.push_back(pixel[at]);
        continue;
      }
      const size_t number = PaletteNumber(line, x, header.bits);
      if (number >= header.palette.size()) return reader.Damaged("a pixel names a colour that its palette has not");
      const Colour& colour = header.palette[number];
      image.pixels.insert(image.pixels.end(), colour.begin(), colour.begin() + image.channels);
    }
  }
  return image;
}

}  // namespace kwta
