// text_tally.h: TextTally, how often each text was met: behind the exact distinct and the mode. Eight bytes, the rest
// on the heap: an open-addressing table over texts that lie one after the other.
#pragma once

#include <fanfold/box.h>
#include <fanfold/bytes.h>
#include <fanfold/fold.h>
#include <fanfold/hash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace fanfold::stats {

class TextTally {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  void add(std::string_view text, std::uint64_t times = 1) {
    State& state = state_.ensure();
    if (2 * (state.used + 1) > state.slots.size()) grow(state);
    const std::uint64_t hash = encode_key(text).meta | 1;
    for (std::size_t at = hash >> 5;; ++at) {
      Slot& slot = state.slots[at & (state.slots.size() - 1)];
      if (slot.hash == 0) {
        slot = {hash, state.texts.size(), text.size(), times};
        state.texts.insert(state.texts.end(), text.begin(), text.end());
        ++state.used;
        return;
      }
      if (slot.hash == hash && text_of(state, slot) == text) {
        slot.times += times;
        return;
      }
    }
  }
  void merge(const TextTally& other) {
    other.for_each([this](std::string_view text, std::uint64_t times) { add(text, times); });
  }

  // How many different texts.
  [[nodiscard]] std::uint64_t size() const noexcept { return state_ ? state_->used : 0; }
  // Calls visit(std::string_view, std::uint64_t times) for each, in no order.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    if (!state_) return;
    for (const Slot& slot : state_->slots) {
      if (slot.hash != 0) visit(text_of(*state_, slot), slot.times);
    }
  }

  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    return state_ ? sizeof(State) + sizeof(Slot) * state_->slots.capacity() + state_->texts.capacity() : 0;
  }
  // Packed: how many, then for each, in bytewise order, size, bytes and times.
  [[nodiscard]] std::size_t pack_size() const noexcept {
    std::size_t bytes = varint_size(size());
    for_each([&](std::string_view text, std::uint64_t times) {
      bytes += varint_size(text.size()) + text.size() + varint_size(times);
    });
    return bytes;
  }
  void pack(std::byte* out) const {
    std::vector<const Slot*> slots;
    if (state_) {
      for (const Slot& slot : state_->slots) {
        if (slot.hash != 0) slots.push_back(&slot);
      }
      std::sort(slots.begin(), slots.end(),
                [this](const Slot* a, const Slot* b) { return text_of(*state_, *a) < text_of(*state_, *b); });
    }
    out = store_varint(out, slots.size());
    for (const Slot* slot : slots) {
      const std::string_view text = text_of(*state_, *slot);
      out = store_varint(out, text.size());
      if (!text.empty()) std::memcpy(out, text.data(), text.size());
      out = store_varint(out + text.size(), slot->times);
    }
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    const std::uint64_t count = reader.varint();
    std::string_view previous;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto bytes = reader.take(reader.varint());
      const std::uint64_t times = reader.varint();
      if (!reader.ok() || times == 0) return false;
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (i != 0 && text <= previous) return false;
      previous = text;
      add(text, times);
    }
    return reader.done();
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;  // 0: empty
    std::size_t begin = 0;
    std::size_t size = 0;
    std::uint64_t times = 0;
  };
  struct State {
    std::vector<Slot> slots;
    std::vector<char> texts;
    std::size_t used = 0;
  };

  static std::string_view text_of(const State& state, const Slot& slot) {
    return {state.texts.data() + slot.begin, slot.size};
  }
  static void grow(State& state) {
    std::vector<Slot> slots(std::max<std::size_t>(8, 2 * state.slots.size()));
    for (const Slot& slot : state.slots) {
      if (slot.hash == 0) continue;
      std::size_t at = slot.hash >> 5;
      while (slots[at & (slots.size() - 1)].hash != 0) ++at;
      slots[at & (slots.size() - 1)] = slot;
    }
    state.slots = std::move(slots);
  }

  Box<State> state_;
};

static_assert(Fold<TextTally> && sizeof(TextTally) == 8);

}  // namespace fanfold::stats
