#include "runtime/client/quantity.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "engine/quoted.h"

namespace fanfold {
namespace {

struct Unit {
  std::string_view name;  // lower case
  std::uint64_t bytes;
};
constexpr std::array<Unit, 10> kUnits{{{"", 1},
                                       {"b", 1},
                                       {"kib", std::uint64_t{1} << 10},
                                       {"mib", std::uint64_t{1} << 20},
                                       {"gib", std::uint64_t{1} << 30},
                                       {"tib", std::uint64_t{1} << 40},
                                       {"kb", 1'000},
                                       {"mb", 1'000'000},
                                       {"gb", 1'000'000'000},
                                       {"tb", 1'000'000'000'000}}};
constexpr std::size_t kDigitsMax = 19;  // fit 64 bits

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string printed(const char* format, double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return std::string(text) + unit;
}

// Three digits: 1.30, 13.0, 130.
std::string three_digits(double value, const char* unit) {
  return printed(value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value, unit);
}

std::string scaled(double value, const char* per) {
  static constexpr const char* kPrefixes[] = {" kB", " MB", " GB", " TB", " PB", " EB"};
  std::size_t prefix = 0;
  value /= 1000;
  // 999.6 MB reads 1.00 GB, not 1000 MB.
  for (; value >= 999.5 && prefix + 1 < std::size(kPrefixes); ++prefix) value /= 1000;
  return three_digits(value, kPrefixes[prefix]) + per;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text, std::string_view what) {
  const auto refused = [&](std::string_view why) {
    return Failure{ExitCode::kUsage, std::string(what) + " is " + quoted(text) + ", " + std::string(why) +
                                         "; write a size as 512, 64KiB, 4MiB or 1GB."};
  };
  std::size_t at = 0;
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;
  std::uint64_t fraction_unit = 1;
  std::size_t digits = 0;
  for (; at < text.size() && is_digit(text[at]); ++at, ++digits)
    whole = whole * 10 + static_cast<unsigned>(text[at] - '0');
  if (digits == 0) return refused("which does not begin with a number");
  if (at < text.size() && text[at] == '.') {
    const std::size_t point = at++;
    for (; at < text.size() && is_digit(text[at]); ++at, ++digits) {
      fraction = fraction * 10 + static_cast<unsigned>(text[at] - '0');
      fraction_unit *= 10;
      if (digits > kDigitsMax) break;
    }
    if (at == point + 1) return refused("which has a point without digits behind it");
  }
  if (digits > kDigitsMax) return refused("which has too many digits");
  while (at < text.size() && text[at] == ' ') ++at;
  std::string unit;
  for (const char c : text.substr(at)) unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    if (fraction_unit != 1 && known.bytes == 1) return refused("which is no whole number of bytes");
    // At most 1e18 * 1.1e12: far inside 128 bits.
    __extension__ using Wide = unsigned __int128;
    const Wide bytes = Wide{whole} * known.bytes + Wide{fraction} * known.bytes / fraction_unit;
    if (bytes > static_cast<Wide>(std::numeric_limits<std::int64_t>::max()))
      return refused("which is beyond any memory");
    return static_cast<std::uint64_t>(bytes);
  }
  if (unit == "k" || unit == "m" || unit == "g" || unit == "t") {
    return refused("which could mean powers of 1000 or of 1024");
  }
  return refused("whose unit is not known");
}

Result<Duration> parse_time(std::string_view text, std::string_view what) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  const std::int64_t factor = unit == "ms"                  ? 1'000'000
                              : unit.empty() || unit == "s" ? 1'000'000'000
                              : unit == "m"                 ? 60'000'000'000
                              : unit == "h"                 ? 3'600'000'000'000
                                                            : 0;
  constexpr std::uint64_t kYear = std::uint64_t{365} * 24 * 3600;
  if (parsed.ec != std::errc() || factor == 0 || number == 0 || number > kYear) {
    return Failure{ExitCode::kUsage, std::string(what) + " takes a time such as 500ms, 30s, 5m or 1h, not " +
                                         fanfold::quoted(std::string(text))};
  }
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / factor / 4;
  return Duration{std::min(static_cast<std::int64_t>(number), most) * factor};
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  return scaled(static_cast<double>(bytes), "");
}

std::string human_rate(double bytes_per_second) {
  if (!(bytes_per_second >= 0) || std::isinf(bytes_per_second)) return "- B/s";
  if (bytes_per_second < 999.5) return printed("%.0f", bytes_per_second, " B/s");
  return scaled(bytes_per_second, "/s");
}

std::string human_seconds(double seconds) {
  if (!(seconds >= 0)) return "-";
  if (seconds == 0) return "0 s";
  if (seconds < 0.0009995) return three_digits(seconds * 1e6, " us");
  if (seconds < 0.9995) return three_digits(seconds * 1e3, " ms");
  if (seconds < 59.95) return three_digits(seconds, " s");
  const double bounded = std::min(seconds, 1e15);
  char text[64];
  if (seconds < 3599.5) {
    const auto whole = static_cast<std::uint64_t>(std::llround(bounded));
    std::snprintf(text, sizeof text, "%u min %02u s", static_cast<unsigned>(whole / 60),
                  static_cast<unsigned>(whole % 60));
  } else {
    const auto minutes = static_cast<std::uint64_t>(std::llround(bounded / 60));
    std::snprintf(text, sizeof text, "%llu h %02u min", static_cast<unsigned long long>(minutes / 60),
                  static_cast<unsigned>(minutes % 60));
  }
  return text;
}

std::string human_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

}  // namespace fanfold
