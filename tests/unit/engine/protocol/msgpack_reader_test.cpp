// msgpack_reader_test.cpp: the pull reader against the public suite of MessagePack forms, and against
// hostile bytes.
#include "engine/protocol/msgpack_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace fanfold {
namespace {

using Kind = MsgpackReader::Kind;
using Error = MsgpackReader::Error;
using nlohmann::json;

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    if (text[i] == '-') ++i;
    bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

bool holds(MsgpackReader& reader, const json& value);

bool holds_number(MsgpackReader& reader, const json& value) {
  if (reader.peek() == Kind::kFloat) {
    double number = 0;
    return reader.read_double(number) && number == value.get<double>();
  }
  if (value.is_number_unsigned()) {
    uint64_t number = 0;
    return reader.read_unsigned(number) && number == value.get<uint64_t>();
  }
  int64_t number = 0;
  return value.is_number_integer() && reader.read_signed(number) && number == value.get<int64_t>();
}

// A plain JSON value, as the suite writes what is nested in arrays and maps.
bool holds(MsgpackReader& reader, const json& value) {
  if (value.is_null()) return reader.read_nil();
  if (value.is_boolean()) {
    bool boolean = false;
    return reader.read_boolean(boolean) && boolean == value.get<bool>();
  }
  if (value.is_number()) return holds_number(reader, value);
  if (value.is_string()) {
    std::string_view text;
    return reader.read_text(text) && text == value.get<std::string>();
  }
  uint32_t count = 0;
  if (value.is_array()) {
    if (!reader.read_array(count) || count != value.size()) return false;
    for (const json& element : value) {
      if (!holds(reader, element)) return false;
    }
    return true;
  }
  if (!reader.read_map(count) || count != value.size()) return false;
  for (uint32_t i = 0; i < count; ++i) {
    std::string_view key;
    if (!reader.read_text(key) || !value.contains(std::string(key))) return false;
    if (!holds(reader, value[std::string(key)])) return false;
  }
  return true;
}

// A case of the suite, whose kind is a key beside "msgpack".
bool holds_case(MsgpackReader& reader, const json& test) {
  if (test.contains("binary")) {
    std::span<const std::byte> binary;
    const auto wanted = from_hex(test["binary"].get<std::string>());
    return reader.read_binary(binary) && std::vector<std::byte>(binary.begin(), binary.end()) == wanted;
  }
  if (test.contains("bignum")) {
    const std::string text = test["bignum"].get<std::string>();
    if (reader.peek() == Kind::kFloat) {
      double number = 0;
      return reader.read_double(number) && number == std::stod(text);
    }
    if (text[0] == '-') {
      int64_t number = 0;
      return reader.read_signed(number) && number == std::stoll(text);
    }
    uint64_t number = 0;
    return reader.read_unsigned(number) && number == std::stoull(text);
  }
  if (test.contains("ext") || test.contains("timestamp")) {
    int8_t type = 0;
    std::span<const std::byte> data;
    if (!reader.read_extension(type, data)) return false;
    if (test.contains("timestamp")) return type == -1 && (data.size() == 4 || data.size() == 8 || data.size() == 12);
    const auto wanted = from_hex(test["ext"][1].get<std::string>());
    return type == test["ext"][0].get<int>() && std::vector<std::byte>(data.begin(), data.end()) == wanted;
  }
  for (const char* kind : {"nil", "bool", "number", "string", "array", "map"}) {
    if (test.contains(kind)) return holds(reader, test[kind]);
  }
  return false;
}

json suite() {
  const std::filesystem::path path =
      std::filesystem::path(FANFOLD_SOURCE_DIR) / "../shared/cases/msgpack/msgpack-test-suite.json";
  if (!std::filesystem::exists(path)) return {};
  std::ifstream in(path);
  return json::parse(in);
}

TEST(MsgpackReader, ReadsEveryFormOfThePublicSuite) {
  const json cases = suite();
  if (cases.is_null()) GTEST_SKIP() << "shared/cases/msgpack is not here";
  int forms = 0;
  for (const auto& [group, tests] : cases.items()) {
    for (const json& test : tests) {
      for (const json& form : test["msgpack"]) {
        const auto bytes = from_hex(form.get<std::string>());
        MsgpackReader reader(bytes);
        EXPECT_TRUE(holds_case(reader, test)) << group << ' ' << form;
        EXPECT_TRUE(reader.ok() && reader.at_end()) << group << ' ' << form;
        MsgpackReader skipping(bytes);
        EXPECT_TRUE(skipping.skip(4) && skipping.at_end()) << group << ' ' << form;
        ++forms;
      }
    }
  }
  EXPECT_GT(forms, 200);
}

TEST(MsgpackReader, RefusesEveryProperPrefixOfThePublicSuite) {
  const json cases = suite();
  if (cases.is_null()) GTEST_SKIP() << "shared/cases/msgpack is not here";
  for (const auto& [group, tests] : cases.items()) {
    for (const json& test : tests) {
      for (const json& form : test["msgpack"]) {
        const auto bytes = from_hex(form.get<std::string>());
        for (std::size_t size = 0; size < bytes.size(); ++size) {
          const auto prefix = std::vector<std::byte>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
          MsgpackReader reader(prefix);
          EXPECT_FALSE(holds_case(reader, test)) << group << ' ' << form << " cut to " << size;
          MsgpackReader skipping(prefix);
          EXPECT_FALSE(skipping.skip(4)) << group << ' ' << form << " cut to " << size;
          EXPECT_NE(skipping.error(), Error::kNone);
        }
      }
    }
  }
}

TEST(MsgpackReader, RefusesCountsLargerThanTheBytesThatAreLeft) {
  for (const auto& bytes :
       {bytes_of({0xdd, 0xff, 0xff, 0xff, 0xff}), bytes_of({0xdc, 0x00, 0x02, 0xc0}), bytes_of({0x93, 0xc0, 0xc0})}) {
    MsgpackReader reader(bytes);
    uint32_t count = 0;
    EXPECT_FALSE(reader.read_array(count));
    EXPECT_EQ(reader.error(), Error::kCountTooLarge);
  }
  for (const auto& bytes : {bytes_of({0xdf, 0xff, 0xff, 0xff, 0xff}), bytes_of({0x82, 0xc0, 0xc0, 0xc0})}) {
    MsgpackReader reader(bytes);
    uint32_t count = 0;
    EXPECT_FALSE(reader.read_map(count));
    EXPECT_EQ(reader.error(), Error::kCountTooLarge);
  }
}

TEST(MsgpackReader, RefusesNestingBeyondTheDepthAllowed) {
  const std::vector<std::byte> nested(100, static_cast<std::byte>(0x91));
  std::vector<std::byte> bytes = nested;
  bytes.push_back(static_cast<std::byte>(0xc0));
  MsgpackReader deep(bytes);
  EXPECT_FALSE(deep.skip(99));
  EXPECT_EQ(deep.error(), Error::kTooDeep);
  MsgpackReader deep_enough(bytes);
  EXPECT_TRUE(deep_enough.skip(100));
}

TEST(MsgpackReader, RefusesTheByteThatMeansNothing) {
  const auto bytes = bytes_of({0xc1});
  MsgpackReader reader(bytes);
  EXPECT_EQ(reader.peek(), Kind::kInvalid);
  EXPECT_FALSE(reader.skip(4));
}

TEST(MsgpackReader, RefusesIntegersThatDoNotFit) {
  const auto negative = bytes_of({0xff});
  MsgpackReader first(negative);
  uint64_t natural = 0;
  EXPECT_FALSE(first.read_unsigned(natural));
  EXPECT_EQ(first.error(), Error::kOutOfRange);
  const auto large = bytes_of({0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0});
  MsgpackReader second(large);
  int64_t integer = 0;
  EXPECT_FALSE(second.read_signed(integer));
  EXPECT_EQ(second.error(), Error::kOutOfRange);
}

TEST(MsgpackReader, StaysFailedAfterTheFirstMismatch) {
  const auto bytes = bytes_of({0x01, 0xc0});
  MsgpackReader reader(bytes);
  EXPECT_FALSE(reader.read_nil());
  uint64_t number = 0;
  EXPECT_FALSE(reader.read_unsigned(number));
  EXPECT_EQ(reader.error(), Error::kUnexpected);
}

TEST(MsgpackReader, NeverReadsBeyondRandomBytes) {
  std::mt19937_64 random(20'001);
  for (int round = 0; round < 50'000; ++round) {
    std::vector<std::byte> bytes(random() % 48);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    MsgpackReader reader(bytes);
    while (reader.ok() && !reader.at_end()) {
      const std::size_t before = reader.position();
      if (reader.skip(8)) {
        ASSERT_GT(reader.position(), before);
      }
    }
    ASSERT_LE(reader.position(), bytes.size());
  }
}

}  // namespace
}  // namespace fanfold
