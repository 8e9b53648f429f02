// identity.h: the names of things on the wire, each a type of its own, so that a worker cannot be passed
// as a run; and the interval of shards that a lease covers. Values only; whoever runs the engine draws the
// 128-bit ones at random, and the root counts the others.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace fanfold {

// 128 random bits; zero names nothing.
template <class Tag>
struct Id128 {
  uint64_t high = 0;
  uint64_t low = 0;
  constexpr auto operator<=>(const Id128&) const = default;
  [[nodiscard]] constexpr bool empty() const { return high == 0 && low == 0; }
};

// A number that counts up and is never used twice within its owner's life; zero names nothing.
template <class Tag>
struct Id64 {
  uint64_t value = 0;
  constexpr auto operator<=>(const Id64&) const = default;
  [[nodiscard]] constexpr bool empty() const { return value == 0; }
};

using RunId = Id128<struct RunTag>;                  // one execution of a job; chosen by the client
using IncarnationId = Id128<struct IncarnationTag>;  // one life of a worker or gatherer process
using Epoch = Id128<struct EpochTag>;                // one life of a node that others connect to
using LeaseId = Id64<struct LeaseTag>;               // counted by the root within its epoch
using BundleSeq = Id64<struct BundleTag>;            // counted by a worker within its incarnation

// Workers connect to a gatherer as they do to the root: there its incarnation is the epoch.
constexpr Epoch epoch_of(IncarnationId gatherer) {
  return {gatherer.high, gatherer.low};
}

struct BundleId {
  IncarnationId incarnation;
  BundleSeq seq;
  constexpr auto operator<=>(const BundleId&) const = default;
};

// The shards begin, begin + 1, ... end - 1.
struct Interval {
  uint64_t begin = 0;
  uint64_t end = 0;
  constexpr auto operator<=>(const Interval&) const = default;
  [[nodiscard]] constexpr uint64_t size() const { return end - begin; }
  [[nodiscard]] constexpr bool empty() const { return begin >= end; }
  template <class Self, class Fields>
  static void fields(Self& self, Fields&& field) {
    field(self.begin, self.end);
  }
};

// 32 hexadecimal digits, for logs, sentences and the summary.
std::string to_text(uint64_t high, uint64_t low);
template <class Tag>
std::string to_text(Id128<Tag> id) {
  return to_text(id.high, id.low);
}

// Back from those digits; false, and nothing else, for any other text.
bool from_text(std::string_view text, uint64_t& high, uint64_t& low);
template <class Tag>
bool from_text(std::string_view text, Id128<Tag>& id) {
  return from_text(text, id.high, id.low);
}

}  // namespace fanfold
