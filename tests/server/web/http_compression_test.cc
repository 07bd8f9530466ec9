#include "server/web/http_compression.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

TEST(HttpCompressionTest, KnowsWhoTakesGzip) {
  for (const char* header : {"gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.1", " deflate ,gzip ; q=1"}) {
    EXPECT_TRUE(TakesGzip(header)) << header;
  }
  for (const char* header : {"", "identity", "deflate", "gzipped", "gzip;q=0", "gzip; q=0.000", "br, gzip;q=none"}) {
    EXPECT_FALSE(TakesGzip(header)) << header;
  }
}

TEST(HttpCompressionTest, GzipHoldsTheBody) {
  std::string body;
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&body, "line ", i, "\n");
  for (const std::string& each : {std::string(), std::string("a\0b", 3), body}) {
    const std::string compressed = GzipOf(each);
    ASSERT_GT(compressed.size(), 18u);
    EXPECT_EQ(compressed.substr(0, 2), "\x1f\x8b");
    z_stream stream = {};
    ASSERT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    std::string out(each.size() + 1, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    stream.avail_in = static_cast<uInt>(compressed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    EXPECT_EQ(out, each);
  }
  EXPECT_LT(GzipOf(body).size(), body.size() / 3);
}

}  // namespace
}  // namespace kwta::server
