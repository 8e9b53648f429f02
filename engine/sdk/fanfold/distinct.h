// distinct.h: Distinct, about how many different values were met. Eight bytes, the rest on the heap.
// Exact up to 1,024 hashes; beyond, the 16,384 registers of a HyperLogLog: a standard error of 0.8 %. The hash has a
// fixed seed, so the answer follows from the values alone.
#pragma once

#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/fold.h>
#include <fanfold/hash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace fanfold {

class Distinct {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;
  // So many different hashes are kept as they are.
  static constexpr std::size_t kExactMax = 1024;
  static constexpr unsigned kPrecision = 14;  // log2 of the registers

  void add(std::string_view value) { add_hash(hash_of(value)); }
  // A hash whose bits are all good.
  void add_hash(std::uint64_t hash) {
    State& state = state_.ensure();
    if (!state.registers.empty()) {
      raise(state, hash);
    } else if (insert(state, hash) && state.count > kExactMax) {
      densify(state);
    }
  }
  [[nodiscard]] static std::uint64_t hash_of(std::string_view value) noexcept {
    const EncodedKey key = encode_key(value);
    // The low bits of a key's hash are given up to its length: mixed once more.
    return hashing::multiply_fold(key.meta ^ hashing::kSeed2, hashing::kSeed0);
  }

  void merge(const Distinct& other) {
    if (!other.state_) return;
    State& state = state_.ensure();
    if (!other.state_->registers.empty()) {
      if (state.registers.empty()) densify(state);
      for (std::size_t i = 0; i < kRegisters; ++i) {
        state.registers[i] = std::max(state.registers[i], other.state_->registers[i]);
      }
      return;
    }
    for_each_hash(*other.state_, [this](std::uint64_t hash) { add_hash(hash); });
  }

  // Whether the count is exact (but for hashes of 64 bits that are equal by chance).
  [[nodiscard]] bool is_exact() const noexcept { return !state_ || state_->registers.empty(); }
  [[nodiscard]] std::uint64_t value() const {
    if (!state_) return 0;
    if (is_exact()) return state_->count;
    const double estimated = estimate(state_->registers);
    const auto whole = static_cast<std::uint64_t>(estimated);
    return whole + (estimated - static_cast<double>(whole) >= 0.5 ? 1 : 0);
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return state_ ? sizeof(State) + 8 * state_->slots.capacity() + state_->registers.capacity() : 0;
  }
  // Packed: how many hashes, and they in order; or one more than kExactMax, and the registers.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    if (!is_exact()) return varint_size(kExactMax + 1) + kRegisters;
    const std::size_t count = state_ ? state_->count : 0;
    return varint_size(count) + 8 * count;
  }
  void pack(std::byte* out) const {
    if (!is_exact()) {
      out = store_varint(out, kExactMax + 1);
      std::memcpy(out, state_->registers.data(), kRegisters);
      return;
    }
    std::vector<std::uint64_t> hashes;
    if (state_) for_each_hash(*state_, [&](std::uint64_t hash) { hashes.push_back(hash); });
    std::sort(hashes.begin(), hashes.end());
    out = store_varint(out, hashes.size());
    for (const std::uint64_t hash : hashes) {
      store_little(out, hash);
      out += 8;
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    const std::uint64_t count = reader.varint();
    if (!reader.ok() || count > kExactMax + 1) return false;
    if (count == 0) return reader.done();
    if (count <= kExactMax) {
      if (reader.rest_bytes() != 8 * count) return false;
      std::uint64_t previous = 0;
      for (std::uint64_t i = 0; i < count; ++i) {
        const auto hash = reader.integer<std::uint64_t>();
        if (i != 0 && hash <= previous) return false;
        previous = hash;
        add_hash(hash);
      }
      return reader.done();
    }
    const auto registers = reader.take(kRegisters);
    if (!reader.done()) return false;
    State& state = state_.ensure();
    state.registers.resize(kRegisters);
    std::memcpy(state.registers.data(), registers.data(), kRegisters);
    const auto [least, most] = std::minmax_element(state.registers.begin(), state.registers.end());
    return *most != 0 && *most <= kRankMax && *least <= kRankMax;
  }

 private:
  static constexpr std::size_t kRegisters = std::size_t{1} << kPrecision;
  static constexpr unsigned kRankMax = 64 - kPrecision + 1;
  struct State {
    std::vector<std::uint64_t> slots;  // open addressing, 0: empty
    std::size_t count = 0;             // of hashes
    bool has_zero = false;
    std::vector<std::uint8_t> registers;  // empty while exact
  };

  template <class Visitor>
  static void for_each_hash(const State& state, Visitor&& visit) {
    if (state.has_zero) visit(std::uint64_t{0});
    for (const std::uint64_t hash : state.slots) {
      if (hash != 0) visit(hash);
    }
  }
  // Whether it is new.
  static bool insert(State& state, std::uint64_t hash) {
    if (hash == 0) {
      const bool is_new = !state.has_zero;
      state.has_zero = true;
      state.count += is_new ? 1 : 0;
      return is_new;
    }
    if (2 * (state.count + 1) > state.slots.size()) grow(state);
    if (!place(state.slots, hash)) return false;
    ++state.count;
    return true;
  }
  static bool place(std::vector<std::uint64_t>& slots, std::uint64_t hash) {
    for (std::size_t at = hash;; ++at) {
      std::uint64_t& slot = slots[at & (slots.size() - 1)];
      if (slot == hash) return false;
      if (slot == 0) {
        slot = hash;
        return true;
      }
    }
  }
  static void grow(State& state) {
    std::vector<std::uint64_t> slots(std::max<std::size_t>(16, 2 * state.slots.size()));
    for (const std::uint64_t hash : state.slots) {
      if (hash != 0) place(slots, hash);
    }
    state.slots = std::move(slots);
  }
  static void densify(State& state) {
    state.registers.assign(kRegisters, 0);
    for_each_hash(state, [&](std::uint64_t hash) { raise(state, hash); });
    state.slots = {};
    state.count = 0;
    state.has_zero = false;
  }
  static void raise(State& state, std::uint64_t hash) {
    const std::uint64_t rest = (hash << kPrecision) | (std::uint64_t{1} << (kPrecision - 1));
    const auto rank = static_cast<std::uint8_t>(std::countl_zero(rest) + 1);
    std::uint8_t& held = state.registers[hash >> (64 - kPrecision)];
    held = std::max(held, rank);
  }

  // Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017: the improved raw estimator.
  // Additions, multiplications and square roots, all of which IEEE rounds alike everywhere.
  [[nodiscard]] static double estimate(std::span<const std::uint8_t> registers) {
    constexpr double kCount = kRegisters;
    constexpr double kAlpha = 0.72134752044448170367;  // 1 / (2 ln 2)
    double histogram[kRankMax + 1] = {};
    for (const std::uint8_t rank : registers) histogram[rank] += 1;
    double z = kCount * tau(1 - histogram[kRankMax] / kCount);
    for (unsigned rank = kRankMax - 1; rank >= 1; --rank) z = 0.5 * (z + histogram[rank]);
    z += kCount * sigma(histogram[0] / kCount);
    return kAlpha * kCount * kCount / z;
  }
  [[nodiscard]] static double sigma(double x) {
    if (x == 1) return std::numeric_limits<double>::infinity();
    double y = 1;
    double z = x;
    for (double before = -1; z != before; y += y) {
      x *= x;
      before = z;
      z += x * y;
    }
    return z;
  }
  [[nodiscard]] static double tau(double x) {
    if (x == 0 || x == 1) return 0;
    double y = 1;
    double z = 1 - x;
    for (double before = -1; z != before;) {
      x = std::sqrt(x);
      before = z;
      y *= 0.5;
      z -= (1 - x) * (1 - x) * y;
    }
    return z / 3;
  }

  Box<State> state_;
};

static_assert(Fold<Distinct> && sizeof(Distinct) == 8);

}  // namespace fanfold
