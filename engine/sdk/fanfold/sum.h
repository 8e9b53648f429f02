// sum.h: Sum<T>, the exact sum of T: integers, Decimal (numbers read from text), double, Fixed<K>.
// Each has a header of its own, which says what it holds and when it overflows.
#pragma once

#include <fanfold/decimal_sum.h>
#include <fanfold/double_sum.h>
#include <fanfold/fixed_sum.h>
#include <fanfold/integer_sum.h>
#include <fanfold/number.h>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace fanfold {

// Integers of every width; truth values and characters are counted, not summed.
template <class T>
concept SummableInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && sizeof(T) <= 8;

template <class T>
struct SumOf;
template <SummableInteger T>
struct SumOf<T> {
  using type = IntegerSum<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;
};
template <>
struct SumOf<double> {
  using type = DoubleSum;
};
template <>
struct SumOf<float> {
  using type = DoubleSum;
};
template <>
struct SumOf<Decimal> {
  using type = DecimalSum;
};
template <unsigned K>
struct SumOf<Fixed<K>> {
  using type = FixedSum<K>;
};

template <class T>
using Sum = typename SumOf<T>::type;

}  // namespace fanfold
