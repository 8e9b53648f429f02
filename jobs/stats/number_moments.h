// number_moments.h: NumberMoments, count and exact sum of numbers in 16 bytes, so that millions of groups stay small.
// While all are decimals and 64 bits hold their sum, one word is the sum and the other count and fraction digits; else
// the other points to wider folds. All zero is the identity (run.h).
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/count.h>
#include <fanfold/decimal_sum.h>
#include <fanfold/fold.h>
#include <fanfold/number.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "jobs/stats/narrow_sum.h"

namespace fanfold::stats {

class NumberMoments {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  NumberMoments() = default;
  NumberMoments(const NumberMoments& other) : sum_(other.sum_), word_(other.word_) {
    if (is_wide()) word_ = word_of(new Wide(*other.wide()));
  }
  NumberMoments(NumberMoments&& other) noexcept
      : sum_(std::exchange(other.sum_, 0)), word_(std::exchange(other.word_, 0)) {}
  NumberMoments& operator=(NumberMoments other) noexcept {
    std::swap(sum_, other.sum_);
    std::swap(word_, other.word_);
    return *this;
  }
  ~NumberMoments() {
    if (is_wide()) delete wide();
  }

  [[gnu::always_inline]] void add_narrow(std::int64_t coefficient, unsigned digits) {
    std::int64_t sum = 0;
    if ((word_ & kTagMask) == tag_of(digits) && !__builtin_add_overflow(sum_, coefficient, &sum)) [[likely]] {
      sum_ = sum;
      word_ += kOne;
    } else if (word_ == 0) {
      sum_ = coefficient;
      word_ = kOne | tag_of(digits);
    } else {
      add_slowly(coefficient, digits, 1);
    }
  }
  void add(const Number& number) {
    if (number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow()) {
      add_narrow(number.decimal().narrow(), number.decimal().fraction_digits());
      return;
    }
    Wide& to = widen();
    to.count.add();
    to.sum.add(number);
  }
  [[gnu::always_inline]] void merge(const NumberMoments& other) {
    std::int64_t sum = 0;
    std::uint64_t word = 0;
    if (((word_ ^ other.word_) & kTagMask) == 0 && (word_ & 1) != 0 &&
        !__builtin_add_overflow(sum_, other.sum_, &sum) &&
        !__builtin_add_overflow(word_, other.word_ & ~kTagMask, &word)) [[likely]] {
      sum_ = sum;
      word_ = word;
      return;
    }
    merge_slowly(other);
  }

  [[nodiscard]] std::uint64_t count() const { return is_wide() ? wide()->count.value() : word_ >> kCountShift; }
  [[nodiscard]] DecimalSum sum() const {
    if (is_wide()) return wide()->sum;
    DecimalSum sum;
    if (word_ != 0) sum.add(*Decimal::make(sum_, digits()));
    return sum;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return is_wide() ? sizeof(Wide) + wide()->sum.heap_bytes() : 0;
  }
  // Packed: a zero for nothing; fraction digits and one more, count and sum as varints (the sum's sign lowest); or
  // kWideForm, the count in 8 bytes, the sum.
  [[nodiscard]] std::size_t pack_size() const {
    if (word_ == 0) return 1;
    const Narrow narrow = narrowed();
    if (narrow.fits) return 1 + varint_size(narrow.count) + varint_size(zigzag(narrow.sum));
    return 9 + wide()->sum.pack_size();
  }
  void pack(std::byte* out) const {
    if (word_ == 0) {
      *out = std::byte{0};
      return;
    }
    const Narrow narrow = narrowed();
    if (narrow.fits) {
      *out = static_cast<std::byte>(narrow.digits + 1);
      store_varint(store_varint(out + 1, narrow.count), zigzag(narrow.sum));
      return;
    }
    *out = kWideForm;
    wide()->count.pack(out + 1);
    wide()->sum.pack(out + 9);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    if (in.empty()) return false;
    if (in[0] == kWideForm) {
      if (in.size() < 9) return false;
      Wide& to = widen();
      return to.count.unpack(in.subspan(1, 8)) && to.sum.unpack(in.subspan(9)) && !to.count.empty() && !narrowed().fits;
    }
    if (in[0] == std::byte{0}) return in.size() == 1;
    ByteReader reader(in.subspan(1));
    const std::uint64_t count = reader.varint();
    const std::uint64_t sum = reader.varint();
    const unsigned digits = static_cast<unsigned>(in[0]) - 1;
    if (!reader.done() || count == 0 || count > kCountMax || digits > Decimal::kFractionDigitsMax) return false;
    sum_ = static_cast<std::int64_t>((sum >> 1) ^ (std::uint64_t{0} - (sum & 1)));
    word_ = (count << kCountShift) | tag_of(digits);
    return true;
  }

 private:
  struct Wide {
    Count count;
    DecimalSum sum;
  };
  struct Narrow {
    bool fits;
    unsigned digits;
    std::uint64_t count;
    std::int64_t sum;
  };
  // The word: lowest a bit that says narrow, five of fraction digits, then the count; or a pointer, which is even.
  static constexpr std::uint64_t kTagMask = 63;
  static constexpr unsigned kCountShift = 6;
  static constexpr std::uint64_t kOne = std::uint64_t{1} << kCountShift;
  static constexpr std::uint64_t kCountMax = ~std::uint64_t{0} >> kCountShift;
  static constexpr std::byte kWideForm{255};

  static std::uint64_t tag_of(unsigned digits) { return 2 * std::uint64_t{digits} + 1; }
  static std::uint64_t word_of(Wide* wide) { return reinterpret_cast<std::uintptr_t>(wide); }
  static std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  }
  [[nodiscard]] bool is_wide() const { return word_ != 0 && (word_ & 1) == 0; }
  [[nodiscard]] Wide* wide() const { return reinterpret_cast<Wide*>(static_cast<std::uintptr_t>(word_)); }
  [[nodiscard]] unsigned digits() const { return static_cast<unsigned>(word_ & kTagMask) >> 1; }

  Wide& widen() {
    if (!is_wide()) {
      auto* made = new Wide{Count(word_ >> kCountShift), sum()};
      sum_ = 0;
      word_ = word_of(made);
    }
    return *wide();
  }
  [[gnu::noinline]] void merge_slowly(const NumberMoments& other) {
    if (other.is_wide()) {
      Wide& to = widen();
      to.count.merge(other.wide()->count);
      to.sum.merge(other.wide()->sum);
    } else if (other.word_ != 0) {
      add_slowly(other.sum_, other.digits(), other.word_ >> kCountShift);
    }
  }
  [[gnu::noinline]] void add_slowly(std::int64_t coefficient, unsigned own_digits, std::uint64_t times) {
    if (word_ == 0) {
      sum_ = coefficient;
      word_ = (times << kCountShift) | tag_of(own_digits);
      return;
    }
    if (!is_wide()) {
      const unsigned most = std::max(own_digits, digits());
      std::int64_t held = 0;
      std::int64_t added = 0;
      std::int64_t sum = 0;
      const std::uint64_t count = word_ >> kCountShift;
      if (!__builtin_mul_overflow(sum_, static_cast<std::int64_t>(kPowersOfTen[most - digits()]), &held) &&
          !__builtin_mul_overflow(coefficient, static_cast<std::int64_t>(kPowersOfTen[most - own_digits]), &added) &&
          !__builtin_add_overflow(held, added, &sum) && times <= kCountMax - count) {
        sum_ = sum;
        word_ = ((count + times) << kCountShift) | tag_of(most);
        return;
      }
    }
    Wide& to = widen();
    to.count.add(times);
    to.sum.add(*Decimal::make(coefficient, own_digits));
  }
  // The same without a fold on the heap, where two words hold all of it.
  [[nodiscard]] Narrow narrowed() const {
    if (!is_wide()) return {true, digits(), word_ >> kCountShift, sum_};
    const auto sum = narrow_sum(wide()->sum);
    const bool fits = sum && !wide()->count.overflowed() && wide()->count.value() <= kCountMax;
    return {fits, wide()->sum.fraction_digits(), fits ? wide()->count.value() : 0, sum.value_or(0)};
  }

  std::int64_t sum_ = 0;
  std::uint64_t word_ = 0;
};

static_assert(Fold<NumberMoments> && sizeof(NumberMoments) == 16);

}  // namespace fanfold::stats
