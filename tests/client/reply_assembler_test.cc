#include "client/reply_assembler.h"

#include <gmock/gmock.h>

#include <ostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/text_format.h"

namespace kwta::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::EncodeResponse Parse(const std::string& text) {
  v1::EncodeResponse response;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &response)) << text;
  return response;
}

TEST(DecodeReply, TopK) {
  const auto result = DecodeReply(Parse("model_version: 4 code_width: 9 stats { queue_ns: 5 }"
                                        "top_k { k: 2 indices: [1, 8, 0, 3] values: [0.5, 1, 2, -1] }"),
                                  2);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->model_version, 4u);
  EXPECT_EQ(result->stats.queue_ns(), 5u);
  EXPECT_EQ(result->sparse().units, 9);
  EXPECT_THAT(result->sparse().row_offsets, ElementsAre(0, 2, 4));
  EXPECT_THAT(result->sparse().indices, ElementsAre(1, 8, 0, 3));
  EXPECT_THAT(result->sparse().values, ElementsAre(0.5f, 1, 2, -1));
}

TEST(DecodeReply, CsrWithRowsOfDifferentLengths) {
  const auto result =
      DecodeReply(Parse("code_width: 5 csr { row_offsets: [0, 0, 2, 3] indices: [1, 4, 0] values: [1, 2, 3] }"), 3);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->sparse().row_offsets, ElementsAre(0, 0, 2, 3));
  EXPECT_THAT(result->sparse().indices, ElementsAre(1, 4, 0));
}

TEST(DecodeReply, DenseFloatsAndRawBytes) {
  v1::EncodeResponse response = Parse("code_width: 2 dense { shape: [2, 2] floats: [1, 0, 0, 7] }");
  const auto packed = DecodeReply(response, 2);
  ASSERT_TRUE(packed.ok()) << packed.status();
  EXPECT_EQ(packed->dense().as<float>()[3], 7);

  const float raw[] = {1, 0, 0, 7};
  response.mutable_dense()->clear_floats();
  response.mutable_dense()->set_raw(raw, sizeof(raw));
  const auto bytes = DecodeReply(response, 2);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(bytes->dense().as<float>()[3], 7);
  EXPECT_EQ(bytes->rows(), 2);
}

struct Malformed {
  const char* reply;
  const char* complaint;
};

// Names each case after its reply, for the same names in every run: the default name holds addresses.
void PrintTo(const Malformed& malformed, std::ostream* out) {
  for (const char c : absl::string_view(malformed.reply)) *out << (absl::ascii_isalnum(c) ? c : '_');
}

class MalformedReply : public testing::TestWithParam<Malformed> {};

// Each of them answers a request of two rows.
TEST_P(MalformedReply, IsRefused) {
  const auto result = DecodeReply(Parse(GetParam().reply), 2);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Replies, MalformedReply,
    testing::Values(
        Malformed{"code_width: 4", "it has no codes"},
        Malformed{"top_k { k: 1 indices: [0, 1] values: [1, 1] }", "a code_width of 0"},
        Malformed{"code_width: 5000000000 top_k { k: 1 indices: [0, 1] values: [1, 1] }", "a code_width of 5000000000"},
        Malformed{"code_width: 4 top_k { k: 1 indices: [0] values: [1] }", "1 indices for 2 rows"},
        Malformed{"code_width: 4 top_k { k: 4294967295 indices: [0, 1] values: [1, 1] }", "2 indices for 2 rows"},
        Malformed{"code_width: 4 top_k { k: 1 indices: [0, 1] values: [1] }", "differ in number"},
        Malformed{"code_width: 4 top_k { k: 1 indices: [0, 4] values: [1, 1] }", "unit 4 of a code of width 4"},
        Malformed{"code_width: 4 csr { row_offsets: [0, 1] indices: [0] values: [1] }", "2 row offsets for 2 rows"},
        Malformed{"code_width: 4 csr { row_offsets: [1, 1, 1] indices: [0] values: [1] }", "do not rise"},
        Malformed{"code_width: 4 csr { row_offsets: [0, 9, 1] indices: [0] values: [1] }", "do not rise"},
        Malformed{"code_width: 4 csr { row_offsets: [0, 1, 9] indices: [0] values: [1] }", "do not rise"},
        Malformed{"code_width: 4 dense { shape: [2, 3] floats: [1, 2, 3, 4, 5, 6] }", "no f32 array of 2 x 4"},
        Malformed{"code_width: 4 dense { shape: [2, 4] floats: [1, 2, 3] }", "no f32 array of 2 x 4"},
        Malformed{"code_width: 1 dense { shape: [2, 1] dtype: DTYPE_U8 raw: 'abcdefgh' }", "no f32 array of 2 x 1"},
        Malformed{"code_width: 1 dense { shape: [2, 1] raw: 'abcdefghi' }", "no f32 array of 2 x 1"}));

EncodeResult Piece(const std::string& text, int64_t rows) {
  auto result = DecodeReply(Parse(text), rows);
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

TEST(EncodeAssembler, JoinsPiecesInOrder) {
  EncodeAssembler whole(3);
  ASSERT_EQ(whole.Add(Piece("code_width: 4 stats { queue_ns: 1 compute_ns: 2 batch_rows: 9 }"
                            "top_k { k: 2 indices: [0, 1, 2, 3] values: [1, 2, 3, 4] }",
                            2)),
            absl::OkStatus());
  ASSERT_EQ(whole.Add(Piece("code_width: 4 stats { queue_ns: 10 compute_ns: 20 batch_rows: 3 }"
                            "top_k { k: 2 indices: [1, 2] values: [5, 6] }",
                            1)),
            absl::OkStatus());
  const EncodeResult result = std::move(whole).Finish();
  EXPECT_THAT(result.sparse().row_offsets, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(result.sparse().values, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(result.stats.queue_ns(), 11u);
  EXPECT_EQ(result.stats.compute_ns(), 22u);
  EXPECT_EQ(result.stats.batch_rows(), 9u);
  EXPECT_EQ(result.requests, 2);
}

TEST(EncodeAssembler, RefusesPiecesThatDoNotFitTogether) {
  const std::string first = "model_version: 1 code_width: 4 top_k { k: 1 indices: 0 values: 1 }";
  const auto refused = [&](const std::string& second, const char* complaint) {
    EncodeAssembler whole(3);
    EXPECT_EQ(whole.Add(Piece(first, 1)), absl::OkStatus());
    const absl::Status status = whole.Add(Piece(second, 1));
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr(complaint));
  };
  refused("model_version: 2 code_width: 4 top_k { k: 1 indices: 0 values: 1 }", "version 2 after version 1");
  refused("model_version: 1 code_width: 5 top_k { k: 1 indices: 0 values: 1 }", "several widths");
  refused("model_version: 1 code_width: 1 dense { shape: [1, 1] floats: 1 }", "several layouts");
}

TEST(EncodeAssembler, RefusesMoreRowsThanWereSent) {
  EncodeAssembler whole(1);
  const absl::Status status = whole.Add(Piece("code_width: 4 top_k { k: 1 indices: [0, 0] values: [1, 1] }", 2));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more rows than were sent"));
}

}  // namespace
}  // namespace kwta::client
