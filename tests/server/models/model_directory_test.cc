#include "server/models/model_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

TEST(ModelDirectory, RemovingAVersionWritesNothingThatIsThere) {
  const TemporaryDirectory root;
  ModelDirectory models(root.File("models"));
  for (const uint64_t version : {1, 2}) {
    WriteTestBundle(root.path(), "bundle", "digits");
    ASSERT_EQ(models.Install(root.File("bundle"), "digits").value(), version);
  }
  const std::string number = root.File("models/digits/last_version");
  struct stat before = {}, after = {};
  ASSERT_EQ(::stat(number.c_str(), &before), 0);
  ASSERT_TRUE(models.Remove("digits", 1).ok());
  ASSERT_EQ(::stat(number.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino) << "a full disk would have kept the version";
}

}  // namespace
}  // namespace kwta::server
