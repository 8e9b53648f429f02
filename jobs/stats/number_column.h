// number_column.h: NumberColumn, count, sum, least and greatest of a column of numbers in 32 bytes: what queries ask
// for most, two of them a cache line. While all are decimals of 64 bits, so is their sum, and a value that has the
// digits of those before it costs an addition and two comparisons; what is wider, or a double, goes to folds on the
// heap beside them, to which the last word then points. All zero is the identity (run.h).
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/decimal_sum.h>
#include <fanfold/fold.h>
#include <fanfold/number.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "jobs/stats/extreme.h"
#include "jobs/stats/narrow_sum.h"

namespace fanfold::stats {

class NumberColumn {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  NumberColumn() = default;
  NumberColumn(const NumberColumn& other) : narrow_(other.narrow_) {
    if (other.is_wide()) narrow_.word = word_of(new Wide(*other.wide()));
  }
  NumberColumn(NumberColumn&& other) noexcept : narrow_(std::exchange(other.narrow_, {})) {}
  NumberColumn& operator=(NumberColumn other) noexcept {
    std::swap(narrow_, other.narrow_);
    return *this;
  }
  ~NumberColumn() {
    if (is_wide()) delete wide();
  }

  [[gnu::always_inline]] void add_narrow(std::int64_t coefficient, unsigned digits) {
    std::int64_t sum = 0;
    if ((narrow_.word & kTagMask) == tag_of(digits) && !__builtin_add_overflow(narrow_.sum, coefficient, &sum))
        [[likely]] {
      narrow_.sum = sum;
      narrow_.least = std::min(narrow_.least, coefficient);
      narrow_.greatest = std::max(narrow_.greatest, coefficient);
      narrow_.word += kOne;
      return;
    }
    add_slowly(coefficient, digits);
  }
  void add(const Number& number) {
    if (number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow()) {
      add_narrow(number.decimal().narrow(), number.decimal().fraction_digits());
      return;
    }
    Wide& to = widen();
    ++to.count;
    to.sum.add(number);
    to.least.add(number);
    to.greatest.add(number);
  }
  void merge(const NumberColumn& other) {
    if (other.is_wide()) {
      Wide& to = widen();
      to.count += other.wide()->count;
      to.sum.merge(other.wide()->sum);
      to.least.merge(other.wide()->least);
      to.greatest.merge(other.wide()->greatest);
      merge_narrow(other.wide()->narrow);
    } else {
      merge_narrow(other.narrow_);
    }
  }

  [[nodiscard]] std::uint64_t count() const noexcept {
    return is_wide() ? wide()->count + wide()->narrow.count() : narrow_.count();
  }
  [[nodiscard]] DecimalSum sum() const {
    DecimalSum sum;
    if (is_wide()) sum = wide()->sum;
    if (const Narrow& held = narrow(); held.word != 0) sum.add(*Decimal::make(held.sum, held.sum_digits()));
    return sum;
  }
  [[nodiscard]] Least least() const {
    Least least;
    if (is_wide()) least = wide()->least;
    if (const Narrow& held = narrow(); held.word != 0) least.add_narrow(held.least, held.least_digits());
    return least;
  }
  [[nodiscard]] Greatest greatest() const {
    Greatest greatest;
    if (is_wide()) greatest = wide()->greatest;
    if (const Narrow& held = narrow(); held.word != 0) greatest.add_narrow(held.greatest, held.greatest_digits());
    return greatest;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return is_wide()
               ? sizeof(Wide) + wide()->sum.heap_bytes() + wide()->least.heap_bytes() + wide()->greatest.heap_bytes()
               : 0;
  }
  // Packed: a byte that says which form; of nothing no more; where 64 bits hold sum, least and greatest: three
  // fraction digits, count, and those three; else count, and the folds behind their sizes.
  [[nodiscard]] std::size_t pack_size() const {
    if (count() == 0) return 1;
    if (narrowed()) return kNarrowBytes;
    const std::size_t sizes[] = {sum().pack_size(), least().pack_size(), greatest().pack_size()};
    std::size_t size = 9;
    for (const std::size_t part : sizes) size += varint_size(part) + part;
    return size;
  }
  void pack(std::byte* out) const {
    if (count() == 0) {
      *out = static_cast<std::byte>(kNothing);
      return;
    }
    if (const std::optional<Narrow> narrow = narrowed()) {
      out[0] = static_cast<std::byte>(kNarrow);
      out[1] = static_cast<std::byte>(narrow->sum_digits());
      out[2] = static_cast<std::byte>(narrow->least_digits());
      out[3] = static_cast<std::byte>(narrow->greatest_digits());
      store_little(out + 4, count());
      store_little(out + 12, narrow->sum);
      store_little(out + 20, narrow->least);
      store_little(out + 28, narrow->greatest);
      return;
    }
    *out = static_cast<std::byte>(kWide);
    store_little(out + 1, count());
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
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    if (in.empty()) return false;
    if (in[0] == static_cast<std::byte>(kNothing)) return in.size() == 1;
    if (in[0] == static_cast<std::byte>(kNarrow)) {
      if (in.size() != kNarrowBytes) return false;
      const auto sum_digits = static_cast<unsigned>(in[1]);
      const auto least_digits = static_cast<unsigned>(in[2]);
      const auto greatest_digits = static_cast<unsigned>(in[3]);
      if (sum_digits > Decimal::kFractionDigitsMax || least_digits > sum_digits || greatest_digits > sum_digits) {
        return false;
      }
      const auto count = load_little<std::uint64_t>(in.data() + 4);
      Narrow read{load_little<std::int64_t>(in.data() + 12), load_little<std::int64_t>(in.data() + 20),
                  load_little<std::int64_t>(in.data() + 28),
                  tag_of(sum_digits, least_digits, greatest_digits) | (std::min(count, kCountMax) << kCountShift)};
      if (count > kCountMax) widen().count = count - kCountMax;
      narrow() = read;
      return count != 0;
    }
    if (in[0] != static_cast<std::byte>(kWide)) return false;
    ByteReader reader(in.subspan(1));
    Wide& to = widen();
    to.count = reader.integer<std::uint64_t>();
    const auto read = [&](auto& fold) {
      const auto bytes = reader.take(reader.varint());
      return reader.ok() && fold.unpack(bytes);
    };
    if (!read(to.sum) || !read(to.least) || !read(to.greatest) || !reader.done() || to.count == 0) return false;
    return !narrowed();
  }

 private:
  static constexpr unsigned kNothing = 0;
  static constexpr unsigned kNarrow = 1;
  static constexpr unsigned kWide = 2;
  static constexpr std::size_t kNarrowBytes = 36;

  // The word: lowest a bit that says narrow, then the fraction digits of sum, least and greatest, five bits each, then
  // the count; 0 for no values.
  static constexpr unsigned kDigitsBits = 5;
  static constexpr unsigned kCountShift = 1 + 3 * kDigitsBits;
  static constexpr std::uint64_t kTagMask = (std::uint64_t{1} << kCountShift) - 1;
  static constexpr std::uint64_t kOne = std::uint64_t{1} << kCountShift;
  static constexpr std::uint64_t kCountMax = ~std::uint64_t{0} >> kCountShift;

  static constexpr std::uint64_t tag_of(std::uint64_t sum, std::uint64_t least, std::uint64_t greatest) {
    return 1 | sum << 1 | least << (1 + kDigitsBits) | greatest << (1 + 2 * kDigitsBits);
  }
  static constexpr std::uint64_t tag_of(std::uint64_t digits) {
    return 1 + digits * ((1U << 1) + (1U << (1 + kDigitsBits)) + (1U << (1 + 2 * kDigitsBits)));
  }

  // Decimals of 64 bits, and their sum.
  struct Narrow {
    std::int64_t sum = 0;
    std::int64_t least = 0;
    std::int64_t greatest = 0;
    std::uint64_t word = 0;

    [[nodiscard]] std::uint64_t count() const { return word >> kCountShift; }
    [[nodiscard]] unsigned sum_digits() const { return digits_at(1); }
    [[nodiscard]] unsigned least_digits() const { return digits_at(1 + kDigitsBits); }
    [[nodiscard]] unsigned greatest_digits() const { return digits_at(1 + 2 * kDigitsBits); }
    [[nodiscard]] unsigned digits_at(unsigned bit) const {
      return static_cast<unsigned>(word >> bit) & ((1U << kDigitsBits) - 1);
    }

    // False, and nothing done, where sum or count have no room.
    [[nodiscard]] bool merge(const Narrow& other) {
      if (std::int64_t same = 0; ((word ^ other.word) & kTagMask) == 0 && other.count() <= kCountMax - count() &&
                                 !__builtin_add_overflow(sum, other.sum, &same)) {
        sum = same;
        least = std::min(least, other.least);
        greatest = std::max(greatest, other.greatest);
        word += other.count() << kCountShift;
        return true;
      }
      const unsigned most = std::max(sum_digits(), other.sum_digits());
      std::int64_t held = 0;
      std::int64_t added = 0;
      std::int64_t total = 0;
      if (__builtin_mul_overflow(sum, static_cast<std::int64_t>(kPowersOfTen[most - sum_digits()]), &held) ||
          __builtin_mul_overflow(other.sum, static_cast<std::int64_t>(kPowersOfTen[most - other.sum_digits()]),
                                 &added) ||
          __builtin_add_overflow(held, added, &total) || other.count() > kCountMax - count()) {
        return false;
      }
      merge_rest(other, total, count() + other.count());
      return true;
    }
    // All but the sum and the count, which are given.
    void merge_rest(const Narrow& other, std::int64_t total, std::uint64_t counted) {
      const unsigned most = std::max(sum_digits(), other.sum_digits());
      unsigned low_digits = least_digits();
      unsigned high_digits = greatest_digits();
      if (compare_strictly(*Decimal::make(other.least, other.least_digits()), *Decimal::make(least, low_digits)) < 0) {
        least = other.least;
        low_digits = other.least_digits();
      }
      if (compare_strictly(*Decimal::make(other.greatest, other.greatest_digits()),
                           *Decimal::make(greatest, high_digits)) > 0) {
        greatest = other.greatest;
        high_digits = other.greatest_digits();
      }
      sum = total;
      word = tag_of(most, low_digits, high_digits) | counted << kCountShift;
    }
  };
  struct Wide {
    Narrow narrow;            // of what is
    std::uint64_t count = 0;  // of what is not there
    DecimalSum sum;
    Least least;
    Greatest greatest;
  };

  static std::uint64_t word_of(Wide* wide) { return reinterpret_cast<std::uintptr_t>(wide); }
  [[nodiscard]] bool is_wide() const { return narrow_.word != 0 && (narrow_.word & 1) == 0; }
  [[nodiscard]] Wide* wide() const { return reinterpret_cast<Wide*>(static_cast<std::uintptr_t>(narrow_.word)); }
  [[nodiscard]] const Narrow& narrow() const { return is_wide() ? wide()->narrow : narrow_; }
  [[nodiscard]] Narrow& narrow() { return is_wide() ? wide()->narrow : narrow_; }

  Wide& widen() {
    if (!is_wide()) {
      auto* made = new Wide{narrow_, 0, {}, {}, {}};
      narrow_ = {0, 0, 0, word_of(made)};
    }
    return *wide();
  }
  [[gnu::noinline]] void add_slowly(std::int64_t coefficient, unsigned digits) {
    merge_narrow({coefficient, coefficient, coefficient, tag_of(digits) | kOne});
  }
  void merge_narrow(const Narrow& other) {
    if (other.word == 0) return;
    Narrow& to = narrow();
    if (to.word == 0) {
      to = other;
      return;
    }
    if (to.merge(other)) return;
    // Both sums go to the wide one, and the counts with them; what is narrow goes on from nothing.
    Wide& into = widen();
    into.sum.add(*Decimal::make(into.narrow.sum, into.narrow.sum_digits()));
    into.sum.add(*Decimal::make(other.sum, other.sum_digits()));
    into.count += into.narrow.count() + other.count();
    into.narrow.merge_rest(other, 0, 0);
  }

  // The same without wide folds but for the count, where 64 bits hold all of it.
  [[nodiscard]] std::optional<Narrow> narrowed() const {
    if (!is_wide()) return narrow_;
    const Least least = this->least();
    const Greatest greatest = this->greatest();
    if (least.kind() != Least::Kind::kNarrow || greatest.kind() != Greatest::Kind::kNarrow) return std::nullopt;
    const DecimalSum sum = this->sum();
    const std::optional<std::int64_t> total = narrow_sum(sum);
    if (!total) return std::nullopt;
    const Decimal low = least.number().decimal();
    const Decimal high = greatest.number().decimal();
    return Narrow{*total, low.narrow(), high.narrow(),
                  tag_of(sum.fraction_digits(), low.fraction_digits(), high.fraction_digits())};
  }

  Narrow narrow_;
};

static_assert(Fold<NumberColumn> && sizeof(NumberColumn) == 32);

}  // namespace fanfold::stats
