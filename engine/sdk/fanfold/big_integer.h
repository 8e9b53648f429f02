// big_integer.h: exact signed integers of up to 12,288 bits on the stack, for the finish of folds.
// Every fold's state has a fixed bound far below that; leaving it throws std::length_error. No heap,
// no shared state.
#pragma once

#include <fanfold/int128.h>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace fanfold {

class BigInteger {
 public:
  // The widest intermediate of any fold here is the variance of decimals and doubles mixed, about
  // 9,400 bits.
  static constexpr std::size_t kLimbsMax = 192;

  // Limbs from size_ on are never read, so they are left as they are: clearing 1.5 KiB costs more
  // than most of the arithmetic.
  BigInteger() noexcept {}  // NOLINT(modernize-use-equals-default): `= default` would clear them in BigInteger{}
  BigInteger(const BigInteger& other) noexcept : size_(other.size_), negative_(other.negative_) {
    std::copy_n(other.limbs_.begin(), size_, limbs_.begin());
  }
  BigInteger& operator=(const BigInteger& other) noexcept {
    size_ = other.size_;
    negative_ = other.negative_;
    if (this != &other) std::copy_n(other.limbs_.begin(), size_, limbs_.begin());
    return *this;
  }
  ~BigInteger() = default;

  [[nodiscard]] static BigInteger from_unsigned(UInt128 value) noexcept {
    BigInteger result;
    result.limbs_[0] = low_half(value);
    result.limbs_[1] = high_half(value);
    result.size_ = 2;
    result.trim();
    return result;
  }
  [[nodiscard]] static BigInteger from_signed(Int128 value) noexcept {
    BigInteger result = from_unsigned(magnitude_of(value));
    result.negative_ = value < 0;
    return result;
  }
  // From two's complement, the lowest limb first.
  [[nodiscard]] static BigInteger from_limbs(std::span<const std::uint64_t> limbs) {
    BigInteger result;
    result.resize(limbs.size());
    const bool negative = !limbs.empty() && (limbs.back() >> 63) != 0;
    std::uint64_t carry = negative ? 1 : 0;
    for (std::size_t i = 0; i < limbs.size(); ++i) {
      const std::uint64_t limb = (negative ? ~limbs[i] : limbs[i]) + carry;
      carry = (carry != 0 && limb == 0) ? 1 : 0;
      result.limbs_[i] = limb;
    }
    result.trim();
    result.negative_ = negative;
    return result;
  }
  [[nodiscard]] static BigInteger power_of_ten(unsigned exponent) {
    BigInteger result = from_unsigned(1);
    for (; exponent >= 19; exponent -= 19) result.multiply_small(10'000'000'000'000'000'000U);
    std::uint64_t rest = 1;
    for (; exponent > 0; --exponent) rest *= 10;
    result.multiply_small(rest);
    return result;
  }

  [[nodiscard]] bool is_zero() const noexcept { return size_ == 0; }
  [[nodiscard]] bool is_negative() const noexcept { return negative_; }
  [[nodiscard]] bool is_odd() const noexcept { return size_ != 0 && (limbs_[0] & 1) != 0; }
  [[nodiscard]] std::size_t bit_length() const noexcept {
    return size_ == 0 ? 0 : 64 * size_ - static_cast<std::size_t>(std::countl_zero(limbs_[size_ - 1]));
  }
  // The limbs of the absolute value, the lowest first; none for zero.
  [[nodiscard]] std::span<const std::uint64_t> limbs() const noexcept { return {limbs_.data(), size_}; }
  [[nodiscard]] BigInteger magnitude() const noexcept {
    BigInteger result = *this;
    result.negative_ = false;
    return result;
  }
  [[nodiscard]] BigInteger operator-() const noexcept {
    BigInteger result = *this;
    result.negative_ = !is_zero() && !negative_;
    return result;
  }

  BigInteger& operator+=(const BigInteger& other) {
    if (negative_ == other.negative_) {
      add_magnitude(other);
    } else if (compare_magnitude(*this, other) >= 0) {
      subtract_magnitude(other);
    } else {
      BigInteger larger = other;
      larger.subtract_magnitude(*this);
      *this = larger;
    }
    return *this;
  }
  BigInteger& operator-=(const BigInteger& other) { return *this += -other; }
  friend BigInteger operator+(BigInteger left, const BigInteger& right) { return left += right; }
  friend BigInteger operator-(BigInteger left, const BigInteger& right) { return left -= right; }

  friend BigInteger operator*(const BigInteger& left, const BigInteger& right) {
    BigInteger result;
    if (left.is_zero() || right.is_zero()) return result;
    result.resize(left.size_ + right.size_);
    std::fill_n(result.limbs_.begin(), result.size_, 0);
    for (std::size_t i = 0; i < left.size_; ++i) {
      std::uint64_t carry = 0;
      for (std::size_t j = 0; j < right.size_; ++j) {
        const UInt128 sum = static_cast<UInt128>(left.limbs_[i]) * right.limbs_[j] + result.limbs_[i + j] + carry;
        result.limbs_[i + j] = low_half(sum);
        carry = high_half(sum);
      }
      result.limbs_[i + right.size_] = carry;
    }
    result.trim();
    result.negative_ = left.negative_ != right.negative_;
    return result;
  }
  BigInteger& operator*=(const BigInteger& other) { return *this = *this * other; }
  void multiply_small(std::uint64_t factor) {
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const UInt128 product = static_cast<UInt128>(limbs_[i]) * factor + carry;
      limbs_[i] = low_half(product);
      carry = high_half(product);
    }
    if (carry != 0) {
      resize(size_ + 1);
      limbs_[size_ - 1] = carry;
    }
    trim();
  }

  BigInteger& operator<<=(std::size_t bits) {
    if (is_zero() || bits == 0) return *this;
    const std::size_t whole = bits / 64;
    const unsigned part = static_cast<unsigned>(bits % 64);
    const std::size_t old_size = size_;
    resize(old_size + whole + 1);
    limbs_[size_ - 1] = 0;
    for (std::size_t i = old_size; i-- > 0;) {
      const std::uint64_t limb = limbs_[i];
      if (part == 0) {
        limbs_[i + whole] = limb;
      } else {
        limbs_[i + whole + 1] |= limb >> (64 - part);
        limbs_[i + whole] = limb << part;
      }
    }
    std::fill_n(limbs_.begin(), whole, 0);
    trim();
    return *this;
  }
  friend BigInteger operator<<(BigInteger value, std::size_t bits) { return value <<= bits; }

  friend bool operator==(const BigInteger& left, const BigInteger& right) noexcept {
    return left.negative_ == right.negative_ && compare_magnitude(left, right) == 0;
  }
  friend std::strong_ordering operator<=>(const BigInteger& left, const BigInteger& right) noexcept {
    if (left.negative_ != right.negative_) {
      return left.negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    const int order = compare_magnitude(left, right) * (left.negative_ ? -1 : 1);
    return order <=> 0;
  }

  // Divides magnitudes: quotient rounded towards zero, and what is left; both carry the signs that
  // make dividend = quotient * divisor + remainder. The divisor is not zero.
  [[nodiscard]] static std::pair<BigInteger, BigInteger> divide(const BigInteger& dividend, const BigInteger& divisor) {
    if (divisor.is_zero()) throw std::domain_error("division of an exact integer by zero");
    std::pair<BigInteger, BigInteger> result;
    auto& [quotient, remainder] = result;
    if (compare_magnitude(dividend, divisor) < 0) {
      remainder = dividend;
      return result;
    }
    if (divisor.size_ == 1) {
      quotient = dividend;
      const std::uint64_t rest = quotient.divide_small(divisor.limbs_[0]);
      remainder = from_unsigned(rest);
    } else {
      divide_long(dividend, divisor, quotient, remainder);
    }
    quotient.negative_ = !quotient.is_zero() && dividend.negative_ != divisor.negative_;
    remainder.negative_ = !remainder.is_zero() && dividend.negative_;
    return result;
  }

  // Divides the magnitude in place; the rest is returned.
  std::uint64_t divide_small(std::uint64_t divisor) noexcept {
    std::uint64_t rest = 0;
    for (std::size_t i = size_; i-- > 0;) {
      const UInt128 part = join_halves(limbs_[i], rest);
      limbs_[i] = static_cast<std::uint64_t>(part / divisor);
      rest = static_cast<std::uint64_t>(part % divisor);
    }
    trim();
    return rest;
  }

  // Decimal digits with a leading '-' where negative.
  [[nodiscard]] std::string text() const {
    if (is_zero()) return "0";
    std::string digits;
    BigInteger rest = *this;
    while (!rest.is_zero()) {
      std::uint64_t group = rest.divide_small(kTextGroup);
      for (unsigned i = 0; i < kTextGroupDigits && (group != 0 || !rest.is_zero()); ++i, group /= 10) {
        digits.push_back(static_cast<char>('0' + group % 10));
      }
    }
    if (negative_) digits.push_back('-');
    std::reverse(digits.begin(), digits.end());
    return digits;
  }

 private:
  static constexpr std::uint64_t kTextGroup = 10'000'000'000'000'000'000U;
  static constexpr unsigned kTextGroupDigits = 19;

  void resize(std::size_t size) {
    if (size > kLimbsMax) throw std::length_error("an exact integer left its bound of 12,288 bits");
    size_ = size;
  }
  void trim() noexcept {
    while (size_ > 0 && limbs_[size_ - 1] == 0) --size_;
    if (size_ == 0) negative_ = false;
  }

  static int compare_magnitude(const BigInteger& left, const BigInteger& right) noexcept {
    if (left.size_ != right.size_) return left.size_ < right.size_ ? -1 : 1;
    for (std::size_t i = left.size_; i-- > 0;) {
      if (left.limbs_[i] != right.limbs_[i]) return left.limbs_[i] < right.limbs_[i] ? -1 : 1;
    }
    return 0;
  }
  void add_magnitude(const BigInteger& other) {
    const std::size_t old_size = size_;
    const std::size_t other_size = other.size_;  // `other` may be this very number.
    resize(std::max(size_, other.size_) + 1);
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const UInt128 sum =
          static_cast<UInt128>(i < old_size ? limbs_[i] : 0) + (i < other_size ? other.limbs_[i] : 0) + carry;
      limbs_[i] = low_half(sum);
      carry = high_half(sum);
    }
    trim();
  }
  // The other's magnitude is not larger than this one's.
  void subtract_magnitude(const BigInteger& other) noexcept {
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const std::uint64_t taken = i < other.size_ ? other.limbs_[i] : 0;
      const UInt128 difference = static_cast<UInt128>(limbs_[i]) - taken - borrow;
      limbs_[i] = low_half(difference);
      borrow = high_half(difference) != 0 ? 1 : 0;
    }
    trim();
  }

  // Schoolbook long division in base 2^64 (Knuth, The Art of Computer Programming, 4.3.1, D).
  // The divisor has two limbs at least, and the dividend is not smaller.
  static void divide_long(const BigInteger& dividend, const BigInteger& divisor, BigInteger& quotient,
                          BigInteger& remainder) {
    const auto shift = static_cast<std::size_t>(std::countl_zero(divisor.limbs_[divisor.size_ - 1]));
    const BigInteger low = divisor.magnitude() << shift;
    BigInteger rest = dividend.magnitude() << shift;
    const std::size_t n = low.size_;
    if (rest.size_ == dividend.size_) {
      rest.resize(rest.size_ + 1);
      rest.limbs_[rest.size_ - 1] = 0;
    }
    const std::size_t m = rest.size_ - n;
    quotient.resize(m);
    const std::uint64_t top = low.limbs_[n - 1];
    const std::uint64_t second = low.limbs_[n - 2];
    for (std::size_t j = m; j-- > 0;) {
      const UInt128 head = join_halves(rest.limbs_[j + n - 1], rest.limbs_[j + n]);
      UInt128 guess = UInt128{UINT64_MAX};
      UInt128 left_over = head - guess * top;
      if (rest.limbs_[j + n] < top) {
        guess = head / top;
        left_over = head % top;
      }
      while (high_half(left_over) == 0 && guess * second > join_halves(rest.limbs_[j + n - 2], low_half(left_over))) {
        --guess;
        left_over += top;
      }
      std::uint64_t carry = 0;
      std::uint64_t borrow = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const UInt128 product = guess * low.limbs_[i] + carry;
        carry = high_half(product);
        const UInt128 difference = static_cast<UInt128>(rest.limbs_[i + j]) - low_half(product) - borrow;
        rest.limbs_[i + j] = low_half(difference);
        borrow = high_half(difference) != 0 ? 1 : 0;
      }
      const UInt128 difference = static_cast<UInt128>(rest.limbs_[j + n]) - carry - borrow;
      rest.limbs_[j + n] = low_half(difference);
      if (high_half(difference) != 0) {  // The guess was one too large: give one divisor back.
        --guess;
        std::uint64_t back = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const UInt128 sum = static_cast<UInt128>(rest.limbs_[i + j]) + low.limbs_[i] + back;
          rest.limbs_[i + j] = low_half(sum);
          back = high_half(sum);
        }
        rest.limbs_[j + n] += back;
      }
      quotient.limbs_[j] = low_half(guess);
    }
    quotient.trim();
    rest.size_ = n;
    rest.trim();
    remainder = rest;
    remainder.shift_right(shift);
  }
  void shift_right(std::size_t bits) noexcept {  // By fewer than 64.
    if (bits == 0) return;
    for (std::size_t i = 0; i < size_; ++i) {
      const std::uint64_t above = i + 1 < size_ ? limbs_[i + 1] : 0;
      limbs_[i] = (limbs_[i] >> bits) | (above << (64 - bits));
    }
    trim();
  }

  std::size_t size_ = 0;
  bool negative_ = false;
  std::array<std::uint64_t, kLimbsMax> limbs_;
};

}  // namespace fanfold
