#include <fanfold/big_integer.h>
#include <fanfold/number.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>

#include "tests/unit/engine/sdk/fold_samples.h"
#include "tests/unit/engine/sdk/oracle.h"
#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

std::string described(std::string_view text) {
  const Number number = parse_number(text);
  if (number.kind() == Number::Kind::kNone) return "none";
  if (number.kind() == Number::Kind::kDouble) return "double " + hex_bits(number.real());
  return "decimal " + BigInteger::from_signed(number.decimal().coefficient()).text() + " " +
         std::to_string(number.decimal().fraction_digits());
}

TEST(Number, OfATextIsADecimalADoubleOrNoneByTheTextAlone) {
  EXPECT_EQ(described("12.50"), "decimal 1250 2");
  EXPECT_EQ(described("-0.1"), "decimal -1 1");
  EXPECT_EQ(described("+7"), "decimal 7 0");
  EXPECT_EQ(described("007."), "decimal 7 0");
  EXPECT_EQ(described(".5"), "decimal 5 1");
  EXPECT_EQ(described("-0"), "decimal 0 0");
  EXPECT_EQ(described("99999999999999999999.999999999999999999"), "decimal 99999999999999999999999999999999999999 18");
  EXPECT_EQ(described("000000000000000000000000000001"), "decimal 1 0");
  EXPECT_EQ(described("100000000000000000000"), "double " + hex_bits(1e20));
  EXPECT_EQ(described("0.0000000000000000000"), "double " + hex_bits(0));  // 19 fraction digits.
  EXPECT_EQ(described("1e3"), "double " + hex_bits(1000));
  EXPECT_EQ(described("-1E-400"), "double " + hex_bits(-0.0));
  EXPECT_EQ(described("1e400"), "double " + hex_bits(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(described("-0.00001e310"), "double " + hex_bits(-1e305));
  EXPECT_EQ(described("1e99999999999999999999999"), "double " + hex_bits(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(described("0e99999999999999999999999"), "double " + hex_bits(0));
  for (const char* text :
       {"",      "-",    "+",   ".",   "-.",   "e5",    "1e",  "1e+", ".e1",   " 1",    "1 ",
        "1,000", "0x10", "nan", "inf", "-inf", "1.2.3", "--1", "1-",  "1e5.0", "1_000", "\xc2\xb2"}) {
    EXPECT_EQ(described(text), "none") << text;
  }
  EXPECT_EQ(described(std::string_view("1\0", 2)), "none");
}

TEST(Number, IsReadAsPythonReadsIt) {
  Random random(1);
  Oracle oracle;
  const auto expect = [&](const std::string& text) {
    std::string hex;
    for (const char character : text) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      hex += kDigits[static_cast<unsigned char>(character) / 16U];
      hex += kDigits[static_cast<unsigned char>(character) % 16U];
    }
    oracle.expect("number " + hex, described(text));
  };
  for (int i = 0; i < 20000; ++i) expect(number_text(random, true));
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t n = below(random, 9); n > 0; --n) text += "0012359..-+eE "[below(random, 14)];
    expect(text);
  }
  for (int i = 0; i < 2000; ++i) {  // Around the ends of the doubles.
    std::string text = std::string(below(random, 3), '0') + (below(random, 2) == 0 ? "." : "");
    for (std::size_t n = 1 + below(random, 30); n > 0; --n) text += static_cast<char>('0' + below(random, 10));
    expect(text + "e" +
           std::to_string(below(random, 2) == 0 ? -345 + static_cast<int>(below(random, 30))
                                                : 285 + static_cast<int>(below(random, 30))));
  }
  oracle.check();
}

TEST(Decimal, HasBounds) {
  EXPECT_FALSE(Decimal::make(1, 19).has_value());
  const Int128 bound = static_cast<Int128>(kPowersOfTen[19]) * 10;
  EXPECT_FALSE(Decimal::make(bound, 0).has_value());
  EXPECT_FALSE(Decimal::make(-bound, 0).has_value());
  EXPECT_TRUE(Decimal::make(bound - 1, 0).has_value());
  EXPECT_TRUE(Decimal::make(bound, 1).has_value());
  EXPECT_TRUE(Decimal(INT64_MIN).is_narrow());
  EXPECT_FALSE(Decimal::make(Int128{INT64_MAX} + 1, 0)->is_narrow());
  EXPECT_FALSE(Decimal::make(Int128{INT64_MIN} - 1, 0)->is_narrow());
}

}  // namespace
}  // namespace fanfold
