#include "server/web/http_body.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

constexpr int kGzipWindow = MAX_WBITS + 16;  // zlib's way of saying gzip
constexpr size_t kPieceBytes = 64 << 10;

}  // namespace

bool HeldBytes::Add(const std::string& host, int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  const auto found = of_hosts_.find(host);
  const int64_t held = found == of_hosts_.end() ? 0 : found->second;
  if (bytes > limit_ - all_ || bytes > limit_ / 2 - held) return false;
  all_ += bytes;
  of_hosts_[host] = held + bytes;
  return true;
}

void HeldBytes::Remove(const std::string& host, int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  all_ -= bytes;
  const auto found = of_hosts_.find(host);
  if (found != of_hosts_.end() && (found->second -= bytes) == 0) of_hosts_.erase(found);
}

int64_t HeldBytes::all() const {
  absl::MutexLock lock(&mutex_);
  return all_;
}

bool HeldBytesClaim::Add(int64_t bytes) {
  if (!held_->Add(host_, bytes)) return false;
  bytes_ += bytes;
  return true;
}

void HeldBytesClaim::Clear() {
  if (bytes_ > 0) held_->Remove(host_, bytes_);
  bytes_ = 0;
}

struct HttpBody::Inflater {
  explicit Inflater(HttpPacking packing) {
    ready = ::inflateInit2(&stream, packing == HttpPacking::kGzip ? kGzipWindow : MAX_WBITS) == Z_OK;
  }
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }

  z_stream stream = {};
  bool ready = false;
  bool ended = false;
};

HttpBody::HttpBody(int64_t limit, int64_t length, HttpPacking packing, HeldBytesClaim* claim)
    : limit_(limit), length_(length), claim_(claim) {
  if (packing == HttpPacking::kNone) return;
  inflater_ = std::make_unique<Inflater>(packing);
  if (!inflater_->ready) Refuse(500, absl::InternalError("zlib cannot start"));
}

HttpBody::~HttpBody() = default;

void HttpBody::Append(absl::string_view piece) {
  if (refused_) return;
  if (inflater_ == nullptr) return AppendUnpacked(piece);
  z_stream& stream = inflater_->stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream.avail_in = static_cast<uInt>(piece.size());
  std::array<char, kPieceBytes> unpacked;
  do {
    if (inflater_->ended) return Refuse(400, absl::InvalidArgumentError("the compressed body goes on after its end"));
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
    stream.avail_out = static_cast<uInt>(unpacked.size());
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return Refuse(400, absl::InvalidArgumentError(
                             "the body is not what Content-Encoding says; deflate has the form of RFC 1950"));
    }
    inflater_->ended = result == Z_STREAM_END;
    AppendUnpacked({unpacked.data(), unpacked.size() - stream.avail_out});
  } while (!refused_ && (stream.avail_in > 0 || (stream.avail_out == 0 && !inflater_->ended)));
}

void HttpBody::AppendUnpacked(absl::string_view piece) {
  const auto bytes = static_cast<int64_t>(piece.size());
  if (bytes > limit_ - static_cast<int64_t>(body_.size())) {
    return Refuse(413, absl::InvalidArgumentError(absl::StrCat(
                           "the body has more than the ", limit_,
                           " bytes that this path takes; send less at once, or raise --max-message-bytes")));
  }
  if (!claim_->Add(bytes)) {
    return Refuse(
        429, absl::ResourceExhaustedError("the server holds too many request bodies at the moment; try again later"));
  }
  if (body_.empty() && inflater_ == nullptr && length_ > bytes) body_.reserve(std::min(length_, limit_));
  body_.append(piece.data(), piece.size());
}

void HttpBody::Refuse(int code, absl::Status status) {
  refused_ = true;
  error_ = HttpError(code, status);
  std::string().swap(body_);
  claim_->Clear();
}

bool HttpBody::Finish(std::string* body, HttpResponse* error) {
  if (!refused_ && inflater_ != nullptr && !inflater_->ended) {
    Refuse(400, absl::InvalidArgumentError("the compressed body ends too early"));
  }
  if (refused_) {
    *error = std::move(error_);
    return false;
  }
  *body = std::move(body_);
  return true;
}

}  // namespace kwta::server
