// tuple.h: Tuple<Folds...>, several folds as one: each merges with its like. Members by get<I>() or
// by structured bindings.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/fold.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>

namespace fanfold {

template <Fold... Folds>
class Tuple {
 public:
  static constexpr std::size_t packed_bytes =
      ((Folds::packed_bytes == kVariableSize) || ...) ? kVariableSize : (std::size_t{0} + ... + Folds::packed_bytes);

  template <std::size_t I>
  [[nodiscard]] auto& get() noexcept {
    return std::get<I>(members_);
  }
  template <std::size_t I>
  [[nodiscard]] const auto& get() const noexcept {
    return std::get<I>(members_);
  }

  void merge(Tuple&& other) {
    for_each_index([&]<std::size_t I>() { get<I>().merge(std::move(other.template get<I>())); });
  }

  void merge(const Tuple& other) requires(std::copy_constructible<Folds>&&...) { merge(Tuple(other)); }

  [[nodiscard]] std::size_t heap_bytes() const {
    std::size_t bytes = 0;
    for_each_index([&]<std::size_t I>() { bytes += fanfold::heap_bytes(get<I>()); });
    return bytes;
  }
  // Packed: the members in order; before each whose size is not fixed, that size.
  [[nodiscard]] std::size_t pack_size() const {
    if constexpr (packed_bytes != kVariableSize) {
      return packed_bytes;
    } else {
      std::size_t size = 0;
      for_each_index([&]<std::size_t I>() {
        const std::size_t member = get<I>().pack_size();
        size += member + (is_variable<I> ? varint_size(member) : 0);
      });
      return size;
    }
  }
  void pack(std::byte* out) const {
    for_each_index([&]<std::size_t I>() {
      const std::size_t size = get<I>().pack_size();
      if constexpr (is_variable<I>) out = store_varint(out, size);
      get<I>().pack(out);
      out += size;
    });
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    bool good = true;
    for_each_index([&]<std::size_t I>() {
      if (!good) return;
      std::uint64_t size = std::tuple_element_t<I, Members>::packed_bytes;
      if constexpr (is_variable<I>) size = reader.varint();
      const auto bytes = reader.take(size);
      good = reader.ok() && get<I>().unpack(bytes);
    });
    return good && reader.done();
  }

 private:
  using Members = std::tuple<Folds...>;
  template <std::size_t I>
  static constexpr bool is_variable = std::tuple_element_t<I, Members>::packed_bytes == kVariableSize;

  template <class Function>
  static void for_each_index(Function&& function) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (function.template operator()<I>(), ...);
    }
    (std::index_sequence_for<Folds...>{});
  }

  Members members_;
};

template <std::size_t I, Fold... Folds>
[[nodiscard]] auto& get(Tuple<Folds...>& tuple) noexcept {
  return tuple.template get<I>();
}
template <std::size_t I, Fold... Folds>
[[nodiscard]] const auto& get(const Tuple<Folds...>& tuple) noexcept {
  return tuple.template get<I>();
}

}  // namespace fanfold

template <fanfold::Fold... Folds>
struct std::tuple_size<fanfold::Tuple<Folds...>> : std::integral_constant<std::size_t, sizeof...(Folds)> {};
template <std::size_t I, fanfold::Fold... Folds>
struct std::tuple_element<I, fanfold::Tuple<Folds...>> : std::tuple_element<I, std::tuple<Folds...>> {};
