#include "runtime/plugin/content_hash.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/runtime/files.h"

namespace fanfold::plugin {
namespace {

TEST(ContentHash, IsTheSameForEqualFilesAndAnotherForOthers) {
  const TestFolder folder;
  const std::string large(1'000'000, 'x');
  const Result<std::string> one = content_hash(folder.write("one", large));
  const Result<std::string> same = content_hash(folder.write("same", large));
  const Result<std::string> other = content_hash(folder.write("other", large + "y"));
  ASSERT_TRUE(one && same && other);
  EXPECT_EQ(one->size(), 32U);
  EXPECT_EQ(*one, *same);
  EXPECT_NE(*one, *other);
}

TEST(ContentHash, NamesAFileThatIsNotThere) {
  const Result<std::string> hash = content_hash("/nowhere/libjob.so");
  ASSERT_FALSE(hash);
  EXPECT_EQ(hash.failure().code, ExitCode::kUsage);
  EXPECT_NE(hash.failure().sentence.find("/nowhere/libjob.so"), std::string::npos);
}

TEST(ContentHash, RefusesAFolder) {
  EXPECT_FALSE(content_hash("/"));
}

}  // namespace
}  // namespace fanfold::plugin
