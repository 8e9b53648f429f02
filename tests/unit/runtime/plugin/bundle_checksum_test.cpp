#include "runtime/plugin/bundle_checksum.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfold::plugin {
namespace {

TEST(BundleChecksum, ChangesWithEveryBitOfEveryPart) {
  std::vector<std::string> parts{"first part", "", "third"};
  const auto of = [&] {
    std::vector<std::uint64_t> checksums;
    for (const std::string& part : parts) checksums.push_back(part_checksum(part.data(), part.size()));
    return bundle_checksum(checksums);
  };
  const std::uint64_t whole = of();
  for (std::string& part : parts) {
    for (char& byte : part) {
      for (int bit = 0; bit < 8; ++bit) {
        byte = static_cast<char>(byte ^ (1 << bit));
        EXPECT_NE(of(), whole);
        byte = static_cast<char>(byte ^ (1 << bit));
      }
    }
  }
  EXPECT_EQ(of(), whole);
}

TEST(BundleChecksum, DependsOnWhereOnePartEndsAndTheNextBegins) {
  const std::string text = "abcdef";
  const auto cut = [&](std::size_t at) {
    const std::vector<std::uint64_t> checksums{part_checksum(text.data(), at),
                                               part_checksum(text.data() + at, text.size() - at)};
    return bundle_checksum(checksums);
  };
  EXPECT_NE(cut(2), cut(3));
}

TEST(BundleChecksum, PadsPartsToTheirAlignment) {
  EXPECT_EQ(padded_part(0), 0U);
  EXPECT_EQ(padded_part(1), 64U);
  EXPECT_EQ(padded_part(64), 64U);
  EXPECT_EQ(padded_part(65), 128U);
}

}  // namespace
}  // namespace fanfold::plugin
