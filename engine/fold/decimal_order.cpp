#include "engine/fold/decimal_order.h"

#include <algorithm>
#include <cstddef>

namespace fanfold {
namespace {

enum class Kind { kMinusInfinity, kNumber, kPlusInfinity, kOther, kNan };  // in this order

// A number is sign * 0.d1 d2 d3... * 10^exponent with d1 != 0; zero has no digits.
struct Decimal {
  Kind kind = Kind::kOther;
  bool negative = false;
  std::int64_t exponent = 0;
  std::string_view digits;  // from d1 on, a point may be among them
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) { return (a | 0x20) == b; });
}

Decimal read(std::string_view text) {
  Decimal decimal;
  std::string_view rest = text;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    decimal.negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (is_word(rest, "nan")) {
    decimal.kind = Kind::kNan;
    return decimal;
  }
  if (is_word(rest, "inf") || is_word(rest, "infinity")) {
    decimal.kind = decimal.negative ? Kind::kMinusInfinity : Kind::kPlusInfinity;
    return decimal;
  }
  std::size_t length = 0;
  std::size_t digits = 0;
  std::size_t point = std::string_view::npos;
  for (; length < rest.size(); ++length) {
    if (is_digit(rest[length])) {
      ++digits;
    } else if (rest[length] == '.' && point == std::string_view::npos) {
      point = length;
    } else {
      break;
    }
  }
  if (digits == 0) return decimal;
  std::int64_t power = 0;
  if (length < rest.size()) {
    std::string_view tail = rest.substr(length);
    if ((tail.front() | 0x20) != 'e') return decimal;
    tail.remove_prefix(1);
    bool down = false;
    if (!tail.empty() && (tail.front() == '-' || tail.front() == '+')) {
      down = tail.front() == '-';
      tail.remove_prefix(1);
    }
    // Exponents beyond 17 digits are no number anybody wrote.
    if (tail.empty() || tail.size() > 17 || !std::all_of(tail.begin(), tail.end(), is_digit)) return decimal;
    for (const char c : tail) power = power * 10 + (c - '0');
    if (down) power = -power;
  }
  decimal.kind = Kind::kNumber;
  std::string_view mantissa = rest.substr(0, length);
  if (point == std::string_view::npos) point = length;
  const std::size_t first = mantissa.find_first_not_of("0.");
  if (first == std::string_view::npos) return decimal;  // zero
  decimal.digits = mantissa.substr(first);
  const auto position = static_cast<std::int64_t>(first);
  const auto point_at = static_cast<std::int64_t>(point);
  decimal.exponent = power + (position < point_at ? point_at - position : point_at - position + 1);
  return decimal;
}

// The digits one after the other, then zeros without end.
class Digits {
 public:
  explicit Digits(std::string_view digits) : rest_(digits) {}
  int next() {
    if (!rest_.empty() && rest_.front() == '.') rest_.remove_prefix(1);
    if (rest_.empty()) return 0;
    const int digit = rest_.front() - '0';
    rest_.remove_prefix(1);
    return digit;
  }
  [[nodiscard]] bool ended() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::weak_ordering compare_magnitudes(const Decimal& left, const Decimal& right) {
  if (left.digits.empty() || right.digits.empty()) return !left.digits.empty() <=> !right.digits.empty();
  if (left.exponent != right.exponent) return left.exponent <=> right.exponent;
  Digits a(left.digits);
  Digits b(right.digits);
  while (!a.ended() || !b.ended()) {
    const int x = a.next();
    const int y = b.next();
    if (x != y) return x <=> y;
  }
  return std::weak_ordering::equivalent;
}

bool below_zero(const Decimal& decimal) {
  return decimal.negative && !decimal.digits.empty();
}

}  // namespace

bool is_unordered_decimal(std::string_view text) {
  return read(text).kind == Kind::kNan;
}

std::weak_ordering compare_decimals(std::string_view left, std::string_view right) {
  const Decimal a = read(left);
  const Decimal b = read(right);
  if (a.kind != b.kind) return a.kind <=> b.kind;
  if (a.kind == Kind::kOther) return left <=> right;
  if (a.kind != Kind::kNumber) return std::weak_ordering::equivalent;
  if (below_zero(a) != below_zero(b)) return below_zero(b) <=> below_zero(a);
  return below_zero(a) ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

std::uint64_t decimal_key(std::string_view text) {
  constexpr std::uint64_t kZero = std::uint64_t{1} << 63;
  constexpr std::uint64_t kInfinity = std::uint64_t{1} << 62;
  constexpr int kKeyDigits = 15;  // below 2^50
  constexpr std::uint64_t kDigitsMax = (std::uint64_t{1} << 50) - 1;
  constexpr std::int64_t kExponentMax = 1023;
  const Decimal decimal = read(text);
  switch (decimal.kind) {
    case Kind::kMinusInfinity:
      return kZero - kInfinity;
    case Kind::kPlusInfinity:
      return kZero + kInfinity;
    case Kind::kOther:
      return kZero + kInfinity + 1;
    case Kind::kNan:
      return kUnorderedDecimalKey;
    case Kind::kNumber:
      break;
  }
  if (decimal.digits.empty()) return kZero;
  std::uint64_t magnitude = 1;  // smaller than any with an exponent in range
  if (decimal.exponent > kExponentMax) {
    magnitude = (std::uint64_t{2 * kExponentMax + 1} << 50) | kDigitsMax;
  } else if (decimal.exponent >= -kExponentMax) {
    Digits digits(decimal.digits);
    std::uint64_t leading = 0;
    for (int i = 0; i < kKeyDigits; ++i) leading = leading * 10 + static_cast<std::uint64_t>(digits.next());
    magnitude = (static_cast<std::uint64_t>(decimal.exponent + kExponentMax) << 50) | leading;
  }
  return decimal.negative ? kZero - magnitude : kZero + magnitude;
}

}  // namespace fanfold
