// extreme.h: Extreme, the least or the greatest of numbers and texts: numbers by value, below all texts, which are
// ordered bytewise. Twenty-four bytes; all zero is the identity, as of every component of a run (run.h).
#pragma once

#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/fold.h>
#include <fanfold/min_max.h>
#include <fanfold/number.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "jobs/stats/numbers.h"

namespace fanfold::stats {

template <fanfold::Extreme kWhich>
class ExtremeValue {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;
  enum class Kind : std::uint8_t { kNothing, kNarrow, kNumber, kText };

  void add(const Number& number) {
    if (number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow()) {
      add_narrow(number.decimal().narrow(), number.decimal().fraction_digits());
    } else if (beats(number)) {
      set(number);
    }
  }
  void add_narrow(std::int64_t coefficient, unsigned digits) {
    if (kind_ == Kind::kNarrow && digits == digits_) [[likely]] {
      if (kWhich == Extreme::kLeast ? coefficient < narrow_ : coefficient > narrow_) narrow_ = coefficient;
    } else if (const Number number = *Decimal::make(coefficient, digits); beats(number)) {
      set(number);
    }
  }
  void add_text(std::string_view text) {
    if (kind_ != Kind::kText) {
      // Texts are above all numbers.
      if (kind_ != Kind::kNothing && kWhich == Extreme::kLeast) return;
    } else if (kWhich == Extreme::kLeast ? text >= wide_->text : text <= wide_->text) {
      return;
    }
    kind_ = Kind::kText;
    narrow_ = 0;
    digits_ = 0;
    wide_.ensure().text.assign(text);
  }
  void merge(const ExtremeValue& other) {
    if (other.kind_ == Kind::kText) {
      add_text(other.wide_->text);
    } else if (other.kind_ != Kind::kNothing) {
      add(other.number());
    }
  }

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  // Of kinds kNarrow and kNumber.
  [[nodiscard]] Number number() const {
    return kind_ == Kind::kNarrow ? Number(*Decimal::make(narrow_, digits_)) : wide_->number;
  }
  // Of kind kText; borrowed.
  [[nodiscard]] std::string_view text() const noexcept { return wide_->text; }

  [[nodiscard]] std::size_t heap_bytes() const noexcept { return wide_ ? sizeof(Wide) + wide_->text.capacity() : 0; }
  // Packed: the kind; of a narrow decimal its digits and 8 bytes; of a wide one its digits and 16; of a double, with
  // digits of 255, 8 bytes; the text behind its size.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    switch (kind_) {
      case Kind::kNothing:
        return 1;
      case Kind::kNarrow:
        return 10;
      case Kind::kNumber:
        return wide_->number.kind() == Number::Kind::kDecimal ? 18 : 10;
      case Kind::kText:
        return 1 + varint_size(wide_->text.size()) + wide_->text.size();
    }
    return 1;
  }
  void pack(std::byte* out) const {
    *out++ = static_cast<std::byte>(kind_);
    if (kind_ == Kind::kNarrow) {
      *out++ = static_cast<std::byte>(digits_);
      store_little(out, narrow_);
    } else if (kind_ == Kind::kNumber && wide_->number.kind() == Number::Kind::kDecimal) {
      const Decimal decimal = wide_->number.decimal();
      *out++ = static_cast<std::byte>(decimal.fraction_digits());
      store_little(out, low_half(static_cast<UInt128>(decimal.coefficient())));
      store_little(out + 8, high_half(static_cast<UInt128>(decimal.coefficient())));
    } else if (kind_ == Kind::kNumber) {
      *out++ = kDouble;
      store_little(out, std::bit_cast<std::uint64_t>(wide_->number.real()));
    } else if (kind_ == Kind::kText) {
      std::memcpy(store_varint(out, wide_->text.size()), wide_->text.data(), wide_->text.size());
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    if (in.empty() || static_cast<unsigned>(in[0]) > static_cast<unsigned>(Kind::kText)) return false;
    kind_ = static_cast<Kind>(in[0]);
    if (kind_ == Kind::kNothing) return in.size() == 1;
    if (kind_ == Kind::kText) {
      ByteReader reader(in.subspan(1));
      const auto bytes = reader.take(reader.varint());
      wide_.ensure().text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return reader.done();
    }
    if (in.size() < 10) return false;
    const auto digits = static_cast<unsigned>(in[1]);
    const auto low = load_little<std::uint64_t>(in.data() + 2);
    if (kind_ == Kind::kNarrow) {
      narrow_ = static_cast<std::int64_t>(low);
      digits_ = static_cast<std::uint8_t>(digits);
      return in.size() == 10 && Decimal::make(narrow_, digits).has_value();
    }
    if (in[1] == kDouble) {
      const double real = std::bit_cast<double>(low);
      wide_.ensure().number = real;
      return in.size() == 10 && real == real;
    }
    if (in.size() != 18) return false;
    const auto high = load_little<std::uint64_t>(in.data() + 10);
    const auto decimal = Decimal::make(static_cast<Int128>(join_halves(low, high)), digits);
    if (!decimal || decimal->is_narrow()) return false;
    wide_.ensure().number = *decimal;
    return true;
  }

 private:
  static constexpr std::byte kDouble{255};
  struct Wide {
    Number number;
    std::string text;
  };

  [[nodiscard]] bool beats(const Number& value) const {
    if (kind_ == Kind::kNothing) return true;
    if (kind_ == Kind::kText) return kWhich == Extreme::kLeast;
    const auto order = compare_strictly(value, number());
    return kWhich == Extreme::kLeast ? order < 0 : order > 0;
  }
  void set(const Number& value) {
    if (value.kind() == Number::Kind::kDecimal && value.decimal().is_narrow()) {
      kind_ = Kind::kNarrow;
      narrow_ = value.decimal().narrow();
      digits_ = static_cast<std::uint8_t>(value.decimal().fraction_digits());
      return;
    }
    kind_ = Kind::kNumber;
    narrow_ = 0;
    digits_ = 0;
    wide_.ensure().number = value;
  }

  std::int64_t narrow_ = 0;
  Box<Wide> wide_;
  Kind kind_ = Kind::kNothing;
  std::uint8_t digits_ = 0;
};

using Least = ExtremeValue<Extreme::kLeast>;
using Greatest = ExtremeValue<Extreme::kGreatest>;
static_assert(Fold<Least> && sizeof(Least) == 24);

}  // namespace fanfold::stats
