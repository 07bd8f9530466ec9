#include "server/web/http_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <memory>
#include <string>

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

std::string Pack(const std::string& text, int window) {
  z_stream stream = {};
  EXPECT_EQ(::deflateInit2(&stream, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(text.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return packed;
}
std::string Gzip(const std::string& text) { return Pack(text, MAX_WBITS + 16); }

class HttpBodyTest : public ::testing::Test {
 protected:
  // Returns the body, or the error's code and text.
  std::string Gather(const std::string& sent, HttpPacking packing, size_t piece = 7) {
    HttpBody body(1000, -1, packing, &claim_);
    for (size_t i = 0; i < sent.size(); i += piece) body.Append(absl::string_view(sent).substr(i, piece));
    std::string whole;
    HttpResponse error;
    return body.Finish(&whole, &error) ? whole : std::to_string(error.code) + error.body;
  }

  std::shared_ptr<HeldBytes> held_ = std::make_shared<HeldBytes>(4000);
  HeldBytesClaim claim_{held_, "a"};
};

TEST_F(HttpBodyTest, TakesUpToItsLimit) {
  EXPECT_EQ(Gather(std::string(1000, 'x'), HttpPacking::kNone), std::string(1000, 'x'));
  EXPECT_THAT(Gather(std::string(1001, 'x'), HttpPacking::kNone), HasSubstr("413{"));
}

TEST_F(HttpBodyTest, UnpacksUpToItsLimit) {
  EXPECT_EQ(Gather(Gzip(std::string(1000, 'x')), HttpPacking::kGzip), std::string(1000, 'x'));
  EXPECT_EQ(Gather(Pack("short", MAX_WBITS), HttpPacking::kDeflate), "short");
  EXPECT_THAT(Gather(Gzip(std::string(1001, 'x')), HttpPacking::kGzip), HasSubstr("413{"));
  // 100 MB in 100 kB: unpacking stops at the limit.
  EXPECT_THAT(Gather(Gzip(std::string(100 << 20, 'x')), HttpPacking::kGzip, 1 << 20), HasSubstr("413{"));
}

TEST_F(HttpBodyTest, WrongPacking) {
  EXPECT_THAT(Gather("no gzip at all", HttpPacking::kGzip), HasSubstr("not what Content-Encoding says"));
  EXPECT_THAT(Gather(Gzip("text").substr(0, 15), HttpPacking::kGzip), HasSubstr("ends too early"));
  EXPECT_THAT(Gather("", HttpPacking::kGzip), HasSubstr("ends too early"));
  EXPECT_THAT(Gather(Gzip("text") + "more", HttpPacking::kGzip, 1000), HasSubstr("goes on after its end"));
}

TEST_F(HttpBodyTest, AHostMayHoldHalf) {
  HeldBytesClaim other(held_, "b");
  EXPECT_TRUE(claim_.Add(2000));
  EXPECT_THAT(Gather("x", HttpPacking::kNone), HasSubstr("429{"));
  EXPECT_FALSE(HeldBytesClaim(held_, "a").Add(2001));
  EXPECT_TRUE(other.Add(2000));
  HeldBytesClaim third(held_, "c");
  EXPECT_TRUE(claim_.Add(0));
  EXPECT_TRUE(third.Add(2000)) << "the refusal above has given a's bytes back";
  EXPECT_FALSE(HeldBytesClaim(held_, "d").Add(1));
  other.Clear();
  EXPECT_TRUE(HeldBytesClaim(held_, "d").Add(1));
}

}  // namespace
}  // namespace kwta::server
