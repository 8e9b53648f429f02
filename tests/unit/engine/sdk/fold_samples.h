// fold_samples.h: random values that are nasty for each kind of fold, by a seed.
#pragma once

#include <fanfold/number.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {

inline double double_from(bool negative, unsigned exponent, std::uint64_t fraction) {
  return std::bit_cast<double>((std::uint64_t{negative} << 63) | (std::uint64_t{exponent} << 52) |
                               (fraction & 0xfffffffffffffU));
}

// Finite doubles: `kind` says of which range. Ones that cancel are put in by nasty_doubles().
inline double finite_double(Random& random, unsigned kind) {
  const bool negative = below(random, 2) == 0;
  switch (kind) {
    case 0:
      return static_cast<double>(static_cast<std::int64_t>(below(random, 2001)) - 1000) / 10;  // Everyday.
    case 1:
      return double_from(negative, static_cast<unsigned>(1000 + below(random, 60)), random());
    case 2:
      return double_from(negative, static_cast<unsigned>(below(random, 3)), random());  // Subnormal and next to it.
    case 3:
      return double_from(negative, static_cast<unsigned>(2040 + below(random, 7)), random());  // Huge.
    case 4:
      return double_from(negative, static_cast<unsigned>(below(random, 2047)), random());  // Anything.
    case 5:
      return below(random, 2) == 0 ? 0.0 : -0.0;
    default:
      return double_from(negative, static_cast<unsigned>(below(random, 2047)), 0);  // Powers of two.
  }
}

inline std::vector<double> nasty_doubles(Random& random, bool specials) {
  std::vector<double> values;
  const unsigned first_kind = static_cast<unsigned>(below(random, 7));
  const bool mixed = below(random, 3) == 0;
  const std::size_t size = below(random, 40);
  while (values.size() < size) {
    const double value = finite_double(random, mixed ? static_cast<unsigned>(below(random, 7)) : first_kind);
    values.push_back(value);
    if (below(random, 3) == 0) values.push_back(-value);  // Cancels.
  }
  if (specials) {
    for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
      const double infinity = std::numeric_limits<double>::infinity();
      values.push_back(below(random, 3) == 0 ? std::numeric_limits<double>::quiet_NaN()
                                             : (below(random, 2) == 0 ? infinity : -infinity));
    }
  }
  return values;
}

// Texts of numbers; `doubles` allows ones of the double lane.
inline std::string number_text(Random& random, bool doubles) {
  const auto digits = [&](std::size_t count) {
    std::string text;
    while (text.size() < count) text.push_back(static_cast<char>('0' + below(random, 10)));
    return text;
  };
  std::string text = below(random, 3) == 0 ? "-" : below(random, 8) == 0 ? "+" : "";
  switch (below(random, doubles ? 8 : 6)) {
    case 0:
      text += digits(1 + below(random, 3)) + "." + digits(1);
      break;
    case 1:
      text += digits(1 + below(random, 20));
      break;
    case 2:
      text += digits(1 + below(random, 20)) + "." + digits(below(random, 19));
      break;
    case 3:
      text += "." + digits(1 + below(random, 18));
      break;
    case 4:
      text += "00" + digits(1 + below(random, 4)) + "." + digits(2);
      break;
    case 5:
      text += std::string(20, '9') + "." + std::string(18, '9');
      break;
    case 6:
      text += digits(1 + below(random, 30)) + "." + digits(below(random, 25));
      break;
    default:
      text += digits(1) + "." + digits(below(random, 5)) + "e" + (below(random, 2) == 0 ? "-" : "") +
              std::to_string(below(random, below(random, 4) == 0 ? 340 : 20));
  }
  return text;
}

inline std::int64_t nasty_integer(Random& random) {
  switch (below(random, 4)) {
    case 0:
      return static_cast<std::int64_t>(below(random, 201)) - 100;
    case 1:
      return std::numeric_limits<std::int64_t>::min() + static_cast<std::int64_t>(below(random, 3));
    case 2:
      return std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(below(random, 3));
    default:
      return static_cast<std::int64_t>(random());
  }
}

}  // namespace fanfold
