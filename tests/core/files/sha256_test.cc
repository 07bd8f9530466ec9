#include "core/files/sha256.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::sha256_test {
namespace {

std::string HexOf(const std::string& bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return absl::BytesToHexString(hash.Finish());
}

// FIPS 180-2, appendix B, and the empty message.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(HexOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesAreAsGoodAsTheWhole) {
  Sha256 hash;
  hash.Add("a");
  hash.Add("");
  hash.Add("bc");
  EXPECT_EQ(absl::BytesToHexString(hash.Finish()), HexOf("abc"));
}

TEST(Sha256, FilesAreHashedWholeOrNotFound) {
  TemporaryDirectory directory;
  EXPECT_EQ(Sha256OfFile(directory.File("missing")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(absl::BytesToHexString(*Sha256OfFile(directory.Write("abc", "abc"))), HexOf("abc"));
}

}  // namespace
}  // namespace kwta::sha256_test
