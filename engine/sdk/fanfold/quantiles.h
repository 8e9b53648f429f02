// quantiles.h: Quantiles, the values of a distribution at any rank. Eight bytes, the rest on the heap.
// Exact up to 512 values; beyond, counts in buckets cut from the double's own bits (7 bits of mantissa, so a bucket's
// middle is within 0.4 % of each of its values), and when more than 4,096 buckets are in use all of them are halved
// together: the error doubles. No logarithm, so the bits are the same everywhere.
#pragma once

#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/fold.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace fanfold {

class Quantiles {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;
  static constexpr std::size_t kExactMax = 512;     // values kept as they are
  static constexpr std::size_t kBucketsMax = 4096;  // in use

  // NaN is passed over.
  void add(double value) {
    if (value != value) return;
    State& state = state_.ensure();
    ++state.count;
    const std::uint64_t key = key_of(value);
    if (state.count <= kExactMax) {
      state.values.push_back(key);
      return;
    }
    if (!state.values.empty()) to_buckets(state);
    add_bucket(state, bucket_of(key, state.level), 1);
  }
  void merge(const Quantiles& other) {
    if (!other.state_) return;
    State& state = state_.ensure();
    const State& from = *other.state_;
    state.count += from.count;
    if (state.count <= kExactMax) {
      state.values.insert(state.values.end(), from.values.begin(), from.values.end());
      return;
    }
    to_buckets(state);
    for (const std::uint64_t key : from.values) add_bucket(state, bucket_of(key, state.level), 1);
    while (state.level < from.level) halve(state);
    for (const Bucket& bucket : from.slots) {
      if (bucket.count != 0) add_bucket(state, bucket.key >> (state.level - from.level), bucket.count);
    }
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return state_ ? state_->count : 0; }
  // The largest relative error of a value, in units of 2^-8: 0 while exact, 1, 2, 4 ...
  [[nodiscard]] std::uint64_t error_units() const noexcept {
    return count() <= kExactMax ? 0 : std::uint64_t{1} << state_->level;
  }
  // The least value at or below which numerator / denominator of all values lie; absent for none. 0 gives the
  // least of all, 1 the greatest.
  [[nodiscard]] std::optional<double> value(std::uint64_t numerator, std::uint64_t denominator) const {
    if (count() == 0) return std::nullopt;
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(numerator) * state_->count;
    const auto rank = static_cast<std::uint64_t>((product + denominator - 1) / denominator);  // from 1
    return at(std::clamp<std::uint64_t>(rank, 1, state_->count) - 1)[0];
  }
  // The value number `index` from below, counted from 0 and smaller than count(), and the one above it (the same, where
  // there is none): for those who go a part of the way from one to the other.
  [[nodiscard]] std::array<double, 2> at(std::uint64_t index) const {
    const std::uint64_t above = std::min(index + 1, state_->count - 1);
    if (state_->count <= kExactMax) {
      std::vector<std::uint64_t> values = state_->values;
      const auto place = values.begin() + static_cast<std::ptrdiff_t>(index);
      std::nth_element(values.begin(), place, values.end());
      return {double_of(*place), double_of(above == index ? *place : *std::min_element(place + 1, values.end()))};
    }
    std::array<double, 2> found{};
    std::uint64_t before = 0;
    for (const Bucket& bucket : sorted(*state_)) {
      if (before > above) break;
      const double middle = middle_of(bucket.key, state_->level);
      if (before <= index) found[0] = middle;
      found[1] = middle;
      before += bucket.count;
    }
    return found;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return state_ ? sizeof(State) + 8 * state_->values.capacity() + sizeof(Bucket) * state_->slots.capacity() : 0;
  }
  // Packed: the count; the values in order; or level, number of buckets, and each as its distance from the one
  // before and its count.
  [[nodiscard]] std::size_t pack_size() const {
    const std::uint64_t n = count();
    if (n <= kExactMax) return varint_size(n) + 8 * static_cast<std::size_t>(n);
    std::size_t size = varint_size(n) + 1 + varint_size(state_->used);
    std::uint32_t previous = 0;
    for (const Bucket& bucket : sorted(*state_)) {
      size += varint_size(bucket.key - previous) + varint_size(bucket.count);
      previous = bucket.key;
    }
    return size;
  }
  void pack(std::byte* out) const {
    const std::uint64_t n = count();
    out = store_varint(out, n);
    if (n <= kExactMax) {
      if (n == 0) return;
      std::vector<std::uint64_t> values = state_->values;
      std::sort(values.begin(), values.end());
      for (const std::uint64_t key : values) {
        store_little(out, key);
        out += 8;
      }
      return;
    }
    *out++ = static_cast<std::byte>(state_->level);
    out = store_varint(out, state_->used);
    std::uint32_t previous = 0;
    for (const Bucket& bucket : sorted(*state_)) {
      out = store_varint(out, bucket.key - previous);
      out = store_varint(out, bucket.count);
      previous = bucket.key;
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    const std::uint64_t n = reader.varint();
    if (!reader.ok()) return false;
    if (n == 0) return reader.done();
    State& state = state_.ensure();
    state.count = n;
    if (n <= kExactMax) {
      if (reader.rest_bytes() != 8 * n) return false;
      for (std::uint64_t i = 0; i < n; ++i) {
        const auto key = reader.integer<std::uint64_t>();
        const double value = double_of(key);
        if (value != value || key == kMinusZero || (i != 0 && key < state.values.back())) return false;
        state.values.push_back(key);
      }
      return reader.done();
    }
    state.level = reader.integer<std::uint8_t>();
    const std::uint64_t buckets = reader.varint();
    if (!reader.ok() || state.level > kLevelMax || buckets == 0 || buckets > kBucketsMax) return false;
    std::uint64_t key = 0;
    std::uint64_t counted = 0;
    for (std::uint64_t i = 0; i < buckets; ++i) {
      const std::uint64_t distance = reader.varint();
      const std::uint64_t held = reader.varint();
      if (!reader.ok() || distance > kBucketKeyMax || (i != 0 && distance == 0) || held == 0 || held > n - counted) {
        return false;
      }
      key += distance;
      if (key > (kBucketKeyMax >> state.level)) return false;
      counted += held;
      add_bucket(state, static_cast<std::uint32_t>(key), held);
    }
    return reader.done() && counted == n;
  }

 private:
  static constexpr unsigned kShift = 52 - 7;  // bits of a key that a bucket does not tell apart
  static constexpr unsigned kBucketBits = 64 - kShift;
  static constexpr unsigned kLevelMax = kBucketBits;
  static constexpr std::uint64_t kBucketKeyMax = (std::uint64_t{1} << kBucketBits) - 1;
  static constexpr std::uint64_t kMinusZero = ~(std::uint64_t{1} << 63);

  struct Bucket {
    std::uint64_t count = 0;  // 0: an empty slot
    std::uint32_t key = 0;
  };
  struct State {
    std::uint64_t count = 0;
    std::vector<std::uint64_t> values;  // while there are few
    std::vector<Bucket> slots;          // open addressing
    std::size_t used = 0;
    unsigned level = 0;  // how often all buckets were halved
  };

  // Orders as the doubles do; -0 is +0.
  static std::uint64_t key_of(double value) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);
    return (bits >> 63) != 0 ? ~bits : bits | (std::uint64_t{1} << 63);
  }
  static double double_of(std::uint64_t key) noexcept {
    return std::bit_cast<double>((key >> 63) != 0 ? key & ~(std::uint64_t{1} << 63) : ~key);
  }
  static std::uint32_t bucket_of(std::uint64_t key, unsigned level) noexcept {
    return static_cast<std::uint32_t>((key >> kShift) >> level);
  }
  // Zero and the infinities for the buckets that hold them; else half-way between a bucket's ends.
  static double middle_of(std::uint32_t bucket, unsigned level) noexcept {
    for (const double special :
         {0.0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
      if (bucket_of(key_of(special), level) == bucket) return special;
    }
    const unsigned shift = kShift + level;
    const std::uint64_t low = shift >= 64 ? 0 : std::uint64_t{bucket} << shift;
    return double_of(low | (std::uint64_t{1} << (shift - 1)));
  }

  static std::vector<Bucket> sorted(const State& state) {
    std::vector<Bucket> buckets;
    buckets.reserve(state.used);
    for (const Bucket& bucket : state.slots) {
      if (bucket.count != 0) buckets.push_back(bucket);
    }
    std::sort(buckets.begin(), buckets.end(), [](const Bucket& a, const Bucket& b) { return a.key < b.key; });
    return buckets;
  }
  static void to_buckets(State& state) {
    const std::vector<std::uint64_t> values = std::move(state.values);
    state.values = {};
    for (const std::uint64_t key : values) add_bucket(state, bucket_of(key, state.level), 1);
  }
  static void add_bucket(State& state, std::uint32_t key, std::uint64_t count) {
    if (2 * (state.used + 1) > state.slots.size()) {
      std::vector<Bucket> before(std::max<std::size_t>(64, 2 * state.slots.size()));
      before.swap(state.slots);
      for (const Bucket& bucket : before) {
        if (bucket.count != 0) slot_of(state, bucket.key) = bucket;
      }
    }
    Bucket& bucket = slot_of(state, key);
    if (bucket.count == 0) {
      bucket.key = key;
      ++state.used;
    }
    bucket.count += count;
    while (state.used > kBucketsMax) halve(state);
  }
  static Bucket& slot_of(State& state, std::uint32_t key) {
    const std::size_t mask = state.slots.size() - 1;
    std::size_t at = key * std::size_t{0x9e3779b1};
    at ^= at >> 15;
    for (;; ++at) {
      Bucket& bucket = state.slots[at & mask];
      if (bucket.count == 0 || bucket.key == key) return bucket;
    }
  }
  static void halve(State& state) {
    std::vector<Bucket> before(state.slots.size());
    before.swap(state.slots);
    state.used = 0;
    ++state.level;
    for (const Bucket& bucket : before) {
      if (bucket.count == 0) continue;
      Bucket& to = slot_of(state, bucket.key >> 1);
      state.used += to.count == 0 ? 1 : 0;
      to.key = bucket.key >> 1;
      to.count += bucket.count;
    }
  }

  Box<State> state_;
};

static_assert(Fold<Quantiles> && sizeof(Quantiles) == 8);

}  // namespace fanfold
