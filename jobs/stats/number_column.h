// number_column.h: NumberColumn, count, sum, least and greatest of a column of numbers in 48 bytes: what queries ask
// for most. A decimal of 64 bits that has the digits of those before it costs an addition and two comparisons; what is
// wider, or a double, goes to folds on the heap beside it.
#pragma once

#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/decimal_sum.h>
#include <fanfold/fold.h>
#include <fanfold/number.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "jobs/stats/extreme.h"
#include "jobs/stats/narrow_sum.h"

namespace fanfold::stats {

class NumberColumn {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  [[gnu::always_inline]] void add_narrow(std::int64_t coefficient, unsigned digits) {
    std::int64_t sum = 0;
    if (digits_.word() == kSeen * digits + kSeenOnce && !__builtin_add_overflow(sum_, coefficient, &sum)) [[likely]] {
      ++count_;
      sum_ = sum;
      least_ = std::min(least_, coefficient);
      greatest_ = std::max(greatest_, coefficient);
      return;
    }
    add_of_other_digits(coefficient, digits);
  }
  void add(const Number& number) {
    if (number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow()) {
      add_narrow(number.decimal().narrow(), number.decimal().fraction_digits());
      return;
    }
    ++count_;
    Wide& wide = wide_.ensure();
    wide.sum.add(number);
    wide.least.add(number);
    wide.greatest.add(number);
  }
  void merge(const NumberColumn& other) {
    count_ += other.count_;
    if (other.wide_) {
      Wide& wide = wide_.ensure();
      wide.sum.merge(other.wide_->sum);
      wide.least.merge(other.wide_->least);
      wide.greatest.merge(other.wide_->greatest);
    }
    if (!other.digits_.seen) return;
    if (!digits_.seen) {
      digits_ = other.digits_;
      sum_ = other.sum_;
      least_ = other.least_;
      greatest_ = other.greatest_;
      return;
    }
    add_sum(other.sum_, other.digits_.sum);
    add_least(other.least_, other.digits_.least);
    add_greatest(other.greatest_, other.digits_.greatest);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] DecimalSum sum() const {
    DecimalSum sum;
    if (wide_) sum = wide_->sum;
    if (digits_.seen) sum.add(*Decimal::make(sum_, digits_.sum));
    return sum;
  }
  [[nodiscard]] Least least() const {
    Least least;
    if (wide_) least = wide_->least;
    if (digits_.seen) least.add_narrow(least_, digits_.least);
    return least;
  }
  [[nodiscard]] Greatest greatest() const {
    Greatest greatest;
    if (wide_) greatest = wide_->greatest;
    if (digits_.seen) greatest.add_narrow(greatest_, digits_.greatest);
    return greatest;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return wide_ ? sizeof(Wide) + wide_->sum.heap_bytes() + wide_->least.heap_bytes() + wide_->greatest.heap_bytes()
                 : 0;
  }
  // Packed: a byte that says which form; of nothing no more; where 64 bits hold sum, least and greatest: three
  // fraction digits, count, and those three; else count, and the folds behind their sizes.
  [[nodiscard]] std::size_t pack_size() const {
    if (count_ == 0) return 1;
    if (is_narrow()) return kNarrowBytes;
    const std::size_t sizes[] = {sum().pack_size(), least().pack_size(), greatest().pack_size()};
    std::size_t size = 9;
    for (const std::size_t part : sizes) size += varint_size(part) + part;
    return size;
  }
  void pack(std::byte* out) const {
    if (count_ == 0) {
      *out = static_cast<std::byte>(kNothing);
    } else if (!wide_) {
      pack_narrow(out, *this);
    } else if (NumberColumn narrow; narrowed(narrow)) {
      pack_narrow(out, narrow);
    } else {
      *out = static_cast<std::byte>(kWide);
      store_little(out + 1, count_);
      out += 9;
      const auto put = [&](const auto& fold) {
        out = store_varint(out, fold.pack_size());
        fold.pack(out);
        out += fold.pack_size();
      };
      put(sum());
      put(least());
      put(greatest());
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    if (in.empty()) return false;
    if (in[0] == static_cast<std::byte>(kNothing)) return in.size() == 1;
    if (in[0] == static_cast<std::byte>(kNarrow)) {
      if (in.size() != kNarrowBytes) return false;
      digits_ = {1, static_cast<std::uint8_t>(in[1]), static_cast<std::uint8_t>(in[2]),
                 static_cast<std::uint8_t>(in[3])};
      count_ = load_little<std::uint64_t>(in.data() + 4);
      sum_ = load_little<std::int64_t>(in.data() + 12);
      least_ = load_little<std::int64_t>(in.data() + 20);
      greatest_ = load_little<std::int64_t>(in.data() + 28);
      return count_ != 0 && digits_.sum <= Decimal::kFractionDigitsMax && digits_.least <= digits_.sum &&
             digits_.greatest <= digits_.sum;
    }
    if (in[0] != static_cast<std::byte>(kWide)) return false;
    ByteReader reader(in.subspan(1));
    count_ = reader.integer<std::uint64_t>();
    Wide& wide = wide_.ensure();
    const auto read = [&](auto& fold) {
      const auto bytes = reader.take(reader.varint());
      return reader.ok() && fold.unpack(bytes);
    };
    if (!read(wide.sum) || !read(wide.least) || !read(wide.greatest) || !reader.done() || count_ == 0) return false;
    return !is_narrow();
  }

 private:
  static constexpr unsigned kNothing = 0;
  static constexpr unsigned kNarrow = 1;
  static constexpr unsigned kWide = 2;
  static constexpr std::size_t kNarrowBytes = 36;
  static constexpr std::uint32_t kSeen = 0x01010100;
  static constexpr std::uint32_t kSeenOnce = 1;

  struct Wide {
    DecimalSum sum;
    Least least;
    Greatest greatest;
  };
  // Fraction digits of the three numbers, each its own; compared as one word.
  struct Digits {
    std::uint8_t seen = 0;
    std::uint8_t sum = 0;
    std::uint8_t least = 0;
    std::uint8_t greatest = 0;
    [[nodiscard]] std::uint32_t word() const noexcept { return std::bit_cast<std::uint32_t>(*this); }
  };

  [[gnu::noinline]] void add_of_other_digits(std::int64_t coefficient, unsigned digits) {
    ++count_;
    const auto own = static_cast<std::uint8_t>(digits);
    if (!digits_.seen) {
      digits_ = {1, own, own, own};
      sum_ = least_ = greatest_ = coefficient;
      return;
    }
    add_sum(coefficient, digits);
    add_least(coefficient, digits);
    add_greatest(coefficient, digits);
  }
  void add_sum(std::int64_t coefficient, unsigned digits) {
    const unsigned most = std::max<unsigned>(digits, digits_.sum);
    std::int64_t held = 0;
    std::int64_t added = 0;
    std::int64_t sum = 0;
    if (!__builtin_mul_overflow(sum_, static_cast<std::int64_t>(kPowersOfTen[most - digits_.sum]), &held) &&
        !__builtin_mul_overflow(coefficient, static_cast<std::int64_t>(kPowersOfTen[most - digits]), &added) &&
        !__builtin_add_overflow(held, added, &sum)) {
      sum_ = sum;
    } else {
      DecimalSum& wide = wide_.ensure().sum;
      wide.add(*Decimal::make(sum_, digits_.sum));
      wide.add(*Decimal::make(coefficient, digits));
      sum_ = 0;
    }
    digits_.sum = static_cast<std::uint8_t>(most);
  }
  void add_least(std::int64_t coefficient, unsigned digits) {
    const Number value = *Decimal::make(coefficient, digits);
    if (compare_strictly(value, *Decimal::make(least_, digits_.least)) >= 0) return;
    least_ = coefficient;
    digits_.least = static_cast<std::uint8_t>(digits);
  }
  void add_greatest(std::int64_t coefficient, unsigned digits) {
    const Number value = *Decimal::make(coefficient, digits);
    if (compare_strictly(value, *Decimal::make(greatest_, digits_.greatest)) <= 0) return;
    greatest_ = coefficient;
    digits_.greatest = static_cast<std::uint8_t>(digits);
  }

  [[nodiscard]] bool is_narrow() const {
    NumberColumn narrow;
    return !wide_ || narrowed(narrow);
  }
  // The same without wide folds, where 64 bits hold all of it.
  [[nodiscard]] bool narrowed(NumberColumn& narrow) const {
    const Least least = this->least();
    const Greatest greatest = this->greatest();
    if (least.kind() != Least::Kind::kNarrow || greatest.kind() != Greatest::Kind::kNarrow) return false;
    const DecimalSum sum = this->sum();
    const std::optional<std::int64_t> narrow_total = narrow_sum(sum);
    if (!narrow_total) return false;
    const Decimal least_decimal = least.number().decimal();
    const Decimal greatest_decimal = greatest.number().decimal();
    narrow.count_ = count_;
    narrow.sum_ = *narrow_total;
    narrow.least_ = least_decimal.narrow();
    narrow.greatest_ = greatest_decimal.narrow();
    narrow.digits_ = {1, static_cast<std::uint8_t>(sum.fraction_digits()),
                      static_cast<std::uint8_t>(least_decimal.fraction_digits()),
                      static_cast<std::uint8_t>(greatest_decimal.fraction_digits())};
    return true;
  }
  static void pack_narrow(std::byte* out, const NumberColumn& column) {
    out[0] = static_cast<std::byte>(kNarrow);
    out[1] = static_cast<std::byte>(column.digits_.sum);
    out[2] = static_cast<std::byte>(column.digits_.least);
    out[3] = static_cast<std::byte>(column.digits_.greatest);
    store_little(out + 4, column.count_);
    store_little(out + 12, column.sum_);
    store_little(out + 20, column.least_);
    store_little(out + 28, column.greatest_);
  }

  std::uint64_t count_ = 0;
  std::int64_t sum_ = 0;
  std::int64_t least_ = 0;
  std::int64_t greatest_ = 0;
  Box<Wide> wide_;
  Digits digits_;
};

static_assert(Fold<NumberColumn> && sizeof(NumberColumn) == 48);

}  // namespace fanfold::stats
