// run.h: Run<N>, the state of a group: components one after the other in N bytes, as the query's layout says, which is
// known at run time alone. The fold of the tables in groups.h.
//
// A component's identity is all zero bytes, and components are trivially relocatable; so a new run is cleared memory
// and a moved one is copied memory. A run does not hold its layout: LayoutScope says which one holds on this thread,
// and every call of a table that may touch a run stands within one.
#pragma once

#include <fanfold/bytes.h>
#include <fanfold/count.h>
#include <fanfold/distinct.h>
#include <fanfold/fold.h>
#include <fanfold/number.h>
#include <fanfold/quantiles.h>
#include <fanfold/variance.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "jobs/stats/extreme.h"
#include "jobs/stats/number_column.h"
#include "jobs/stats/number_moments.h"
#include "jobs/stats/text_tally.h"

namespace fanfold::stats {

enum class ComponentKind : std::uint8_t {
  kCount,         // Count
  kMoments,       // count and sum of numbers
  kVariance,      // Variance<Decimal>: count, sum, sum of squares
  kNumberColumn,  // count, sum, least and greatest of numbers
  kLeast,
  kGreatest,
  kTally,
  kDistinct,
  kQuantiles,
};

template <class T>
struct ComponentType {
  using type = T;
};

// Calls visit(ComponentType<T>{}) for the kind's T.
template <class Visitor>
decltype(auto) with_component(ComponentKind kind, Visitor&& visit) {
  switch (kind) {
    case ComponentKind::kMoments:
      return visit(ComponentType<NumberMoments>{});
    case ComponentKind::kVariance:
      return visit(ComponentType<Variance<Decimal>>{});
    case ComponentKind::kNumberColumn:
      return visit(ComponentType<NumberColumn>{});
    case ComponentKind::kLeast:
      return visit(ComponentType<Least>{});
    case ComponentKind::kGreatest:
      return visit(ComponentType<Greatest>{});
    case ComponentKind::kTally:
      return visit(ComponentType<TextTally>{});
    case ComponentKind::kDistinct:
      return visit(ComponentType<Distinct>{});
    case ComponentKind::kQuantiles:
      return visit(ComponentType<Quantiles>{});
    case ComponentKind::kCount:
      break;
  }
  return visit(ComponentType<Count>{});
}

struct Component {
  ComponentKind kind = ComponentKind::kCount;
  std::uint32_t offset = 0;
};

class Layout {
 public:
  // Tells where in the run it lies.
  std::uint32_t add(ComponentKind kind) {
    const std::uint32_t offset = bytes_;
    components_.push_back({kind, offset});
    with_component(kind, [&]<class T>(ComponentType<T>) {
      static_assert(alignof(T) <= 8);
      bytes_ += static_cast<std::uint32_t>((sizeof(T) + 7) / 8 * 8);
      owns_memory_ = owns_memory_ || !std::is_trivially_destructible_v<T>;
    });
    return offset;
  }
  [[nodiscard]] std::span<const Component> components() const { return components_; }
  [[nodiscard]] std::uint32_t bytes() const { return bytes_; }
  [[nodiscard]] bool owns_memory() const { return owns_memory_; }

  [[nodiscard]] static const Layout& current() { return *current_; }

 private:
  friend class LayoutScope;
  inline static thread_local const Layout* current_ = nullptr;

  std::vector<Component> components_;
  std::uint32_t bytes_ = 0;
  bool owns_memory_ = false;
};

// The layout of all runs that this thread touches while it lives.
class LayoutScope {
 public:
  explicit LayoutScope(const Layout& layout) : before_(std::exchange(Layout::current_, &layout)) {}
  ~LayoutScope() { Layout::current_ = before_; }
  LayoutScope(const LayoutScope&) = delete;
  LayoutScope& operator=(const LayoutScope&) = delete;

 private:
  const Layout* before_;
};

// A run to read, whatever its size.
class RunView {
 public:
  explicit RunView(const std::byte* bytes) : bytes_(bytes) {}
  template <class T>
  [[nodiscard]] const T& at(std::uint32_t offset) const {
    return *reinterpret_cast<const T*>(bytes_ + offset);
  }

 private:
  const std::byte* bytes_;
};

template <std::size_t kBytes>
class Run {
 public:
  static constexpr std::size_t packed_bytes = kVariableSize;

  Run() noexcept { std::memset(bytes_, 0, kBytes); }
  Run(Run&& other) noexcept {
    std::memcpy(bytes_, other.bytes_, kBytes);
    std::memset(other.bytes_, 0, kBytes);
  }
  Run& operator=(Run&& other) noexcept {
    if (this != &other) {
      clear();
      std::memcpy(bytes_, other.bytes_, kBytes);
      std::memset(other.bytes_, 0, kBytes);
    }
    return *this;
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { clear(); }

  template <class T>
  [[nodiscard]] T& at(std::uint32_t offset) {
    return *reinterpret_cast<T*>(bytes_ + offset);
  }
  template <class T>
  [[nodiscard]] const T& at(std::uint32_t offset) const {
    return *reinterpret_cast<const T*>(bytes_ + offset);
  }

  [[nodiscard]] RunView view() const { return RunView(bytes_); }

  void merge(Run&& other) {
    for_each_component([&]<class T>(ComponentType<T>, std::uint32_t offset) {
      at<T>(offset).merge(std::move(other.template at<T>(offset)));
    });
  }

  [[nodiscard]] std::size_t heap_bytes() const {
    std::size_t bytes = 0;
    if (!Layout::current().owns_memory()) return bytes;
    for_each_component(
        [&]<class T>(ComponentType<T>, std::uint32_t offset) { bytes += fanfold::heap_bytes(at<T>(offset)); });
    return bytes;
  }
  // Packed: the components in order; before each whose size is not fixed, that size.
  [[nodiscard]] std::size_t pack_size() const {
    std::size_t size = 0;
    for_each_component([&]<class T>(ComponentType<T>, std::uint32_t offset) {
      const std::size_t part = at<T>(offset).pack_size();
      size += part + (T::packed_bytes == kVariableSize ? varint_size(part) : 0);
    });
    return size;
  }
  void pack(std::byte* out) const {
    for_each_component([&]<class T>(ComponentType<T>, std::uint32_t offset) {
      const T& fold = at<T>(offset);
      const std::size_t part = fold.pack_size();
      if constexpr (T::packed_bytes == kVariableSize) out = store_varint(out, part);
      fold.pack(out);
      out += part;
    });
  }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    bool good = true;
    for_each_component([&]<class T>(ComponentType<T>, std::uint32_t offset) {
      if (!good) return;
      std::uint64_t size = T::packed_bytes;
      if constexpr (T::packed_bytes == kVariableSize) size = reader.varint();
      const auto bytes = reader.take(size);
      good = reader.ok() && at<T>(offset).unpack(bytes);
    });
    return good && reader.done();
  }

 private:
  void clear() {
    if (!Layout::current().owns_memory()) return;
    for_each_component([&]<class T>(ComponentType<T>, std::uint32_t offset) { std::destroy_at(&at<T>(offset)); });
  }
  // A component that is larger than the run is in none of its layouts; so no code is made for it.
  template <class Visitor>
  static void for_each_component(const Visitor& visit) {
    for (const Component& component : Layout::current().components()) {
      with_component(component.kind, [&]<class T>(ComponentType<T> type) {
        if constexpr (sizeof(T) <= kBytes) visit(type, component.offset);
      });
    }
  }

  alignas(8) std::byte bytes_[kBytes];
};

static_assert(Fold<Run<32>> && sizeof(Run<32>) == 32);

}  // namespace fanfold::stats
