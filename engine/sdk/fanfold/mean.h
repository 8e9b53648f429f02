// mean.h: Mean<T>, the arithmetic mean of integers, doubles, Decimal or Fixed<K>: an exact count and
// an exact sum, divided and rounded once when read.
#pragma once

#include <fanfold/big_integer.h>
#include <fanfold/bytes.h>
#include <fanfold/count.h>
#include <fanfold/exact_value.h>
#include <fanfold/fold.h>
#include <fanfold/sum.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fanfold {

template <class T>
class Mean {
 public:
  static constexpr std::size_t packed_bytes =
      Sum<T>::packed_bytes == kVariableSize ? kVariableSize : 8 + Sum<T>::packed_bytes;

  // Whatever the sum of T takes; NaN and infinities are counted too, a Number that is none is not.
  template <class Value>
  void add(const Value& value) {
    if constexpr (std::same_as<Value, Number>) {
      if (!value) return;
    }
    count_.add();
    sum_.add(value);
  }
  void merge(const Mean& other) {
    count_.merge(other.count_);
    sum_.merge(other.sum_);
  }

  [[nodiscard]] std::uint64_t count() const { return count_.value(); }
  [[nodiscard]] const Sum<T>& sum() const noexcept { return sum_; }
  // The double nearest to the exact mean; absent for no values. Throws Overflow where its sum does.
  [[nodiscard]] std::optional<double> value() const {
    if (count() == 0) return std::nullopt;
    return exact_value().nearest();
  }
  // The exact mean with so many fraction digits, halves towards plus infinity; absent for no values
  // and when it is not finite.
  [[nodiscard]] std::optional<std::string> rounded(unsigned fraction_digits) const {
    if (count() == 0) return std::nullopt;
    return exact_value().rounded(fraction_digits);
  }
  // Of one value or more.
  [[nodiscard]] ExactValue exact_value() const {
    ExactValue result = sum_.exact_value();
    result.denominator.multiply_small(count());
    return result;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return fanfold::heap_bytes(sum_); }
  [[nodiscard]] std::size_t pack_size() const noexcept { return 8 + sum_.pack_size(); }
  void pack(std::byte* out) const noexcept {
    count_.pack(out);
    sum_.pack(out + 8);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    return in.size() > 8 && count_.unpack(in.first(8)) && sum_.unpack(in.subspan(8)) &&
           (!count_.empty() || packs_to(Mean{}, in));
  }

 private:
  Count count_;
  Sum<T> sum_;
};

static_assert(Fold<Mean<std::int64_t>> && Fold<Mean<double>> && Fold<Mean<Decimal>> && Fold<Mean<Fixed<20>>>);

}  // namespace fanfold
