// variance.h: Variance<T>, variance and standard deviation of integers, doubles or Decimal.
// From the exact count, sum and sum of squares: n * sum x^2 - (sum x)^2 in exact integers, and one
// rounding at the end, of the root too. Never the pairwise update of means: that is not associative.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/bytes.h>
#include <fanfold/count.h>
#include <fanfold/exact_value.h>
#include <fanfold/fold.h>
#include <fanfold/rounding.h>
#include <fanfold/square_sum.h>
#include <fanfold/sum.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fanfold {

// What the squared deviations are divided by: n for a population, n - 1 for a sample of one.
enum class Divisor : std::uint8_t { kPopulation, kSample };

template <class T>
class Variance {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  // Whatever the sum of T takes; NaN and infinities are counted too, a Number that is none is not.
  template <class Value>
  void add(const Value& value) {
    if constexpr (std::same_as<Value, Number>) {
      if (!value) return;
    }
    count_.add();
    sum_.add(value);
    squares_.add(value);
  }
  void merge(const Variance& other) {
    count_.merge(other.count_);
    sum_.merge(other.sum_);
    squares_.merge(other.squares_);
  }

  [[nodiscard]] std::uint64_t count() const { return count_.value(); }
  [[nodiscard]] const Sum<T>& sum() const noexcept { return sum_; }
  // Each of these is absent for too few values: none, or one for a sample; NaN after NaN or an infinity.
  [[nodiscard]] std::optional<double> mean() const {
    if (count() == 0) return std::nullopt;
    ExactValue mean = sum_.exact_value();
    mean.denominator.multiply_small(count());
    return mean.nearest();
  }
  [[nodiscard]] std::optional<double> value(Divisor divisor = Divisor::kSample) const {
    if (!enough(divisor)) return std::nullopt;
    const ExactValue exact = exact_value(divisor);
    return exact.special.any() ? canonical_nan() : exact.nearest();
  }
  [[nodiscard]] std::optional<double> deviation(Divisor divisor = Divisor::kSample) const {
    if (!enough(divisor)) return std::nullopt;
    const ExactValue exact = exact_value(divisor);
    return exact.special.any() ? canonical_nan() : nearest_root(exact.numerator, exact.denominator, exact.exponent);
  }
  // The exact variance with so many fraction digits, halves towards plus infinity; absent after NaN
  // or an infinity too.
  [[nodiscard]] std::optional<std::string> rounded(unsigned fraction_digits, Divisor divisor = Divisor::kSample) const {
    if (!enough(divisor)) return std::nullopt;
    return exact_value(divisor).rounded(fraction_digits);
  }
  // Of enough values.
  [[nodiscard]] ExactValue exact_value(Divisor divisor = Divisor::kSample) const {
    const std::uint64_t n = count();
    const ExactValue sum = sum_.exact_value();
    // The denominator of the squares is that of the sum, squared, but for a power of two: both follow
    // from the same values.
    ExactValue result = squares_.exact_value();
    result.numerator.multiply_small(n);
    ExactValue squared_sum{sum.numerator * sum.numerator, result.denominator, 2 * sum.exponent, {}};
    squared_sum.lower_exponent(result.exponent);
    result.lower_exponent(squared_sum.exponent);
    result.numerator -= squared_sum.numerator;
    result.denominator.multiply_small(n);
    result.denominator.multiply_small(divisor == Divisor::kSample ? n - 1 : n);
    result.special = sum.special;
    return result;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return fanfold::heap_bytes(sum_) + squares_.heap_bytes(); }
  [[nodiscard]] std::size_t pack_size() const noexcept {
    return 8 + varint_size(sum_.pack_size()) + sum_.pack_size() + squares_.pack_size();
  }
  void pack(std::byte* out) const noexcept {
    count_.pack(out);
    out = store_varint(out + 8, sum_.pack_size());
    sum_.pack(out);
    squares_.pack_at(out + sum_.pack_size());
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    if (!count_.unpack(reader.take(8))) return false;
    const std::uint64_t sum_bytes = reader.varint();
    if (!sum_.unpack(reader.take(sum_bytes))) return false;
    squares_.unpack(reader);
    return reader.done() && squares_.belongs_to(sum_) && (!count_.empty() || packs_to(Variance{}, in));
  }

 private:
  [[nodiscard]] bool enough(Divisor divisor) const { return count() > (divisor == Divisor::kSample ? 1U : 0U); }

  Count count_;
  Sum<T> sum_;
  SquareSum<T> squares_;
};

static_assert(Fold<Variance<std::int64_t>> && Fold<Variance<double>> && Fold<Variance<Decimal>>);

}  // namespace fanfold
