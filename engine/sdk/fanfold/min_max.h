// min_max.h: Min<T> and Max<T>, the least and the greatest of integers, doubles, Decimal or
// std::string, in a strict total order, so that no tie is broken by the order of merging.
//   integers  by value                       double   -0 < +0; NaN is skipped and counted
//   Decimal   by value, 1.0 below 1.00       string   bytewise
#pragma once

#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/count.h>
#include <fanfold/fold.h>
#include <fanfold/int128.h>
#include <fanfold/number.h>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace fanfold {

enum class Extreme : std::uint8_t { kLeast, kGreatest };

template <class T, Extreme kWhich>
class ExtremeOf;

template <class T>
using Min = ExtremeOf<T, Extreme::kLeast>;
template <class T>
using Max = ExtremeOf<T, Extreme::kGreatest>;

template <std::integral T, Extreme kWhich>
class ExtremeOf<T, kWhich> {
 public:
  static constexpr std::size_t packed_bytes = 1 + sizeof(T);

  constexpr void add(T value) noexcept {
    if (!seen_ || (kWhich == Extreme::kLeast ? value < value_ : value > value_)) value_ = value;
    seen_ = true;
  }
  constexpr void merge(const ExtremeOf& other) noexcept {
    if (other.seen_) add(other.value_);
  }

  // Absent for no values.
  [[nodiscard]] constexpr std::optional<T> value() const noexcept {
    return seen_ ? std::optional(value_) : std::nullopt;
  }

  [[nodiscard]] std::size_t pack_size() const noexcept { return packed_bytes; }
  void pack(std::byte* out) const noexcept {
    out[0] = static_cast<std::byte>(seen_);
    store_little(out + 1, value_);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) noexcept {
    if (in.size() != packed_bytes || static_cast<unsigned>(in[0]) > 1) return false;
    seen_ = in[0] == std::byte{1};
    value_ = load_little<T>(in.data() + 1);
    return seen_ || value_ == T{};
  }

 private:
  T value_{};
  bool seen_ = false;
};

template <Extreme kWhich>
class ExtremeOf<double, kWhich> {
 public:
  static constexpr std::size_t packed_bytes = 16;

  void add(double value) noexcept {
    if (value != value) {
      nans_.add();
      return;
    }
    add_key(key_of(std::bit_cast<std::int64_t>(value)));
  }
  void merge(const ExtremeOf& other) noexcept {
    add_key(other.key_);
    nans_.merge(other.nans_);
  }

  // Absent when nothing but NaN was added.
  [[nodiscard]] std::optional<double> value() const noexcept {
    return key_ == kNothing ? std::nullopt : std::optional(std::bit_cast<double>(key_of(key_)));
  }
  // How many NaN were skipped.
  [[nodiscard]] const Count& nans() const noexcept { return nans_; }

  [[nodiscard]] std::size_t pack_size() const noexcept { return packed_bytes; }
  void pack(std::byte* out) const noexcept {
    store_little(out, key_);
    nans_.pack(out + 8);
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) noexcept {
    if (in.size() != packed_bytes) return false;
    key_ = load_little<std::int64_t>(in.data());
    const auto value = std::bit_cast<double>(key_of(key_));
    return (key_ == kNothing || value == value) && nans_.unpack(in.subspan(8));
  }

 private:
  // Integers in the order of the doubles: for negative ones, all bits but the sign are turned. Its
  // own inverse. The ends of the range are NaN, so one of them can stand for nothing.
  [[nodiscard]] static constexpr std::int64_t key_of(std::int64_t bits) noexcept {
    return bits < 0 ? bits ^ INT64_MAX : bits;
  }
  static constexpr std::int64_t kNothing = kWhich == Extreme::kLeast ? INT64_MAX : INT64_MIN;

  constexpr void add_key(std::int64_t key) noexcept {
    if (kWhich == Extreme::kLeast ? key < key_ : key > key_) key_ = key;
  }

  std::int64_t key_ = kNothing;
  Count nans_;
};

template <Extreme kWhich>
class ExtremeOf<Decimal, kWhich> {
 public:
  static constexpr std::size_t packed_bytes = 17;

  void add(Decimal value) noexcept {
    if (!value_ || (kWhich == Extreme::kLeast ? less(value, *value_) : less(*value_, value))) value_ = value;
  }
  void merge(const ExtremeOf& other) noexcept {
    if (other.value_) add(*other.value_);
  }

  // Absent for no values.
  [[nodiscard]] const std::optional<Decimal>& value() const noexcept { return value_; }

  // Packed: the fraction digits and one more (0 for nothing), then the coefficient.
  [[nodiscard]] std::size_t pack_size() const noexcept { return packed_bytes; }
  void pack(std::byte* out) const noexcept {
    const auto bits = static_cast<UInt128>(value_ ? value_->coefficient() : Int128{0});
    out[0] = static_cast<std::byte>(value_ ? value_->fraction_digits() + 1 : 0);
    store_little(out + 1, low_half(bits));
    store_little(out + 9, high_half(bits));
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) noexcept {
    if (in.size() != packed_bytes) return false;
    const auto coefficient = static_cast<Int128>(
        join_halves(load_little<std::uint64_t>(in.data() + 1), load_little<std::uint64_t>(in.data() + 9)));
    const auto head = static_cast<unsigned>(in[0]);
    if (head == 0) return coefficient == 0;
    value_ = Decimal::make(coefficient, head - 1);
    return value_.has_value();
  }

 private:
  [[nodiscard]] static bool less(Decimal left, Decimal right) noexcept {
    const Int128 left_units = left.units();
    const Int128 right_units = right.units();
    return left_units != right_units ? left_units < right_units : left.fraction_digits() < right.fraction_digits();
  }

  std::optional<Decimal> value_;
};

template <Extreme kWhich>
class ExtremeOf<std::string, kWhich> {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  void add(std::string_view value) {
    if (!value_) {
      value_.emplace(value);
    } else if (beats(value, *value_)) {
      value_->assign(value);
    }
  }
  void merge(const ExtremeOf& other) {
    if (other.value_) add(*other.value_);
  }
  void merge(ExtremeOf&& other) {
    if (other.value_ && (!value_ || beats(*other.value_, *value_))) value_ = std::move(other.value_);
  }

  // Absent for no values; borrowed from the fold.
  [[nodiscard]] std::optional<std::string_view> value() const noexcept {
    return value_ ? std::optional<std::string_view>(*value_) : std::nullopt;
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return value_ ? sizeof(std::string) + value_->capacity() : 0;
  }
  // Packed: the size and one more (0 for nothing), then the bytes.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    return value_ ? varint_size(value_->size() + 1) + value_->size() : 1;
  }
  void pack(std::byte* out) const noexcept {
    out = store_varint(out, value_ ? value_->size() + 1 : 0);
    if (value_) std::memcpy(out, value_->data(), value_->size());
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    const std::uint64_t head = reader.varint();
    if (!reader.ok() || head == 0) return reader.done();
    const auto bytes = reader.take(head - 1);
    if (!reader.done()) return false;
    value_.emplace(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }

 private:
  // Bytewise, as unsigned bytes: what string_view's comparison does.
  [[nodiscard]] static bool beats(std::string_view left, std::string_view right) noexcept {
    return kWhich == Extreme::kLeast ? left < right : right < left;
  }

  Box<std::string> value_;  // Behind a pointer: a short std::string points into itself.
};

static_assert(Fold<Min<std::int64_t>> && Fold<Max<double>> && Fold<Min<Decimal>> && Fold<Max<std::string>>);
static_assert(std::is_trivially_copyable_v<Min<std::int64_t>> && sizeof(Max<double>) == 16);

}  // namespace fanfold
