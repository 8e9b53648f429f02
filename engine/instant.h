// instant.h: points and spans of time as whole nanoseconds. The engine reads no clock: whoever drives a
// state machine passes `now`, from any clock that never goes backwards; only differences mean anything.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

namespace fanfold {

struct Duration {
  int64_t nanoseconds = 0;

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration other) const { return {nanoseconds + other.nanoseconds}; }
  constexpr Duration operator-(Duration other) const { return {nanoseconds - other.nanoseconds}; }
  constexpr Duration operator*(int64_t factor) const { return {nanoseconds * factor}; }
  constexpr Duration operator/(int64_t divisor) const { return {nanoseconds / divisor}; }
  constexpr Duration& operator+=(Duration other) { return *this = *this + other; }
  [[nodiscard]] constexpr double seconds() const { return static_cast<double>(nanoseconds) * 1e-9; }
};

constexpr Duration nanoseconds(int64_t count) {
  return {count};
}
constexpr Duration microseconds(int64_t count) {
  return {count * 1'000};
}
constexpr Duration milliseconds(int64_t count) {
  return {count * 1'000'000};
}
constexpr Duration seconds(int64_t count) {
  return {count * 1'000'000'000};
}

struct Instant {
  int64_t nanoseconds = 0;

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration span) const { return {nanoseconds + span.nanoseconds}; }
  constexpr Instant operator-(Duration span) const { return {nanoseconds - span.nanoseconds}; }
  constexpr Duration operator-(Instant earlier) const { return {nanoseconds - earlier.nanoseconds}; }
};

// The earlier of two deadlines, where an empty one never comes.
constexpr std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

}  // namespace fanfold
