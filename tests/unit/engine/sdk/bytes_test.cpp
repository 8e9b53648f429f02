#include <fanfold/bytes.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fanfold {
namespace {

TEST(Bytes, IntegersAreLittleEndian) {
  std::array<std::byte, 4> bytes{};
  store_little(bytes.data(), std::uint32_t{0x01020304});
  EXPECT_EQ(bytes, (std::array<std::byte, 4>{std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1}}));
  EXPECT_EQ(load_little<std::uint32_t>(bytes.data()), 0x01020304U);
  store_little(bytes.data(), std::int32_t{-2});
  EXPECT_EQ(load_little<std::int32_t>(bytes.data()), -2);
}

TEST(Bytes, AVarintComesBackFromItsShortestFormAlone) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{16383}, std::uint64_t{16384}, std::uint64_t{1} << 63, UINT64_MAX}) {
    std::array<std::byte, 16> bytes{};
    const auto size = static_cast<std::size_t>(store_varint(bytes.data(), value) - bytes.data());
    EXPECT_EQ(size, varint_size(value));
    ByteReader reader{std::span(bytes).first(size)};
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.done());
    for (std::size_t cut = 0; cut < size; ++cut) {
      ByteReader short_reader{std::span(bytes).first(cut)};
      static_cast<void>(short_reader.varint());
      EXPECT_FALSE(short_reader.ok());
    }
    if (size < 10) {  // The same number with a digit of zero behind it.
      bytes[size - 1] |= std::byte{0x80};
      bytes[size] = std::byte{0};
      ByteReader padded{std::span(bytes).first(size + 1)};
      static_cast<void>(padded.varint());
      EXPECT_FALSE(padded.ok());
    }
  }
}

TEST(Bytes, AVarintBeyond64BitsIsRefused) {
  const std::vector<std::byte> eleven(11, std::byte{0xff});
  ByteReader too_long(eleven);
  static_cast<void>(too_long.varint());
  EXPECT_FALSE(too_long.ok());
  std::vector<std::byte> top(10, std::byte{0xff});
  top[9] = std::byte{2};
  ByteReader too_large(top);
  static_cast<void>(too_large.varint());
  EXPECT_FALSE(too_large.ok());
}

TEST(Bytes, AReaderThatRanOutStaysFailed) {
  const std::array<std::byte, 3> bytes{};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.integer<std::uint32_t>(), 0U);
  EXPECT_EQ(reader.integer<std::uint8_t>(), 0U);
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_FALSE(reader.done());
  ByteReader huge(bytes);
  EXPECT_TRUE(huge.take(UINT64_MAX).empty());
  EXPECT_FALSE(huge.ok());
}

}  // namespace
}  // namespace fanfold
