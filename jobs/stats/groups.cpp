#include "jobs/stats/groups.h"

#include <type_traits>

namespace fanfold::stats {

namespace {

// Calls add(component) and tells `grown` how much more the component holds outside of itself.
template <class Component, class Add>
void add_measured(Component& component, std::int64_t& grown, const Add& add) {
  grown -= static_cast<std::int64_t>(component.heap_bytes());
  add(component);
  grown += static_cast<std::int64_t>(component.heap_bytes());
}

// Of a cell that is not null.
template <class Component>
[[gnu::always_inline]] inline void add_number(Component& component, const CellVector& vector, const Cell& cell,
                                              std::int64_t& grown) {
  if (cell.kind == Cell::Kind::kNarrow) [[likely]] {
    component.add_narrow(cell.word, cell.digits);
  } else {
    add_measured(component, grown, [&](Component& to) { to.add(vector.number(cell)); });
  }
}

// Adds a row's cell, which is not null.
template <class Component>
void add_cell(Component& component, const CellVector& vector, std::size_t row, std::int64_t& grown) {
  const Cell& cell = vector.cells[row];
  if constexpr (std::is_same_v<Component, Count>) {
    component.add();
  } else if constexpr (std::is_same_v<Component, NumberMoments> || std::is_same_v<Component, NumberColumn>) {
    add_number(component, vector, cell, grown);
  } else if constexpr (std::is_same_v<Component, Least> || std::is_same_v<Component, Greatest>) {
    if (cell.kind == Cell::Kind::kNarrow) {
      component.add_narrow(cell.word, cell.digits);
    } else if (cell.kind == Cell::Kind::kText) {
      add_measured(component, grown, [&](Component& to) { to.add_text(vector.texts[row]); });
    } else {
      add_measured(component, grown, [&](Component& to) { to.add(vector.number(cell)); });
    }
  } else if constexpr (std::is_same_v<Component, TextTally> || std::is_same_v<Component, Distinct>) {
    add_measured(component, grown, [&](Component& to) { to.add(vector.texts[row]); });
  } else if constexpr (std::is_same_v<Component, Quantiles>) {
    add_measured(component, grown, [&](Component& to) { to.add(nearest_double_of(vector.number(cell))); });
  } else {
    add_measured(component, grown, [&](Component& to) { to.add(vector.number(cell)); });
  }
}

// Adds one row to a run, component by component.
template <std::size_t kBytes>
void add_row(Run<kBytes>& run, const std::vector<Addition>& additions, const RowValues& values, std::size_t row,
             std::int64_t& grown) {
  for (const Addition& addition : additions) {
    if (addition.argument == Addition::kRows) {
      run.template at<Count>(addition.offset).add();
      continue;
    }
    const CellVector& vector = values.arguments[addition.argument];
    if (vector.cells[row].kind == Cell::Kind::kNull) continue;
    // A component that is larger than the run is in none of its layouts.
    with_component(addition.kind, [&]<class Component>(ComponentType<Component>) {
      if constexpr (sizeof(Component) <= kBytes) {
        add_cell(run.template at<Component>(addition.offset), vector, row, grown);
      }
    });
  }
}

// A run of one component, as most queries have: what Run does, known at compile time.
template <class T>
class OneComponent {
 public:
  using Component = T;
  static constexpr std::size_t packed_bytes = T::packed_bytes;

  [[nodiscard]] T& component() { return component_; }
  [[nodiscard]] RunView view() const { return RunView(reinterpret_cast<const std::byte*>(&component_)); }

  void merge(OneComponent&& other) { component_.merge(std::move(other.component_)); }
  [[nodiscard]] std::size_t heap_bytes() const { return fanfold::heap_bytes(component_); }
  [[nodiscard]] std::size_t pack_size() const { return component_.pack_size(); }
  void pack(std::byte* out) const { component_.pack(out); }
  [[nodiscard]] bool unpack(std::span<const std::byte> in) { return component_.unpack(in); }
  [[nodiscard]] std::uint64_t narrowed() const requires NarrowFold<T> { return component_.narrowed(); }
  [[nodiscard]] static OneComponent widened(std::uint64_t bits) requires NarrowFold<T> {
    OneComponent run;
    run.component_ = T::widened(bits);
    return run;
  }

 private:
  T component_{};
};

static_assert(Fold<OneComponent<NumberMoments>> && NarrowFold<OneComponent<Count>>);

// Calls visit(add), where add(run, row) adds the row's cell, or the row where there is no argument; `grown` as above.
template <class T, class Visitor>
void with_adder(const Addition& addition, const RowValues& values, std::int64_t& grown, Visitor&& visit) {
  if constexpr (std::is_same_v<T, Count>) {
    if (addition.argument == Addition::kRows) {
      return visit([](OneComponent<T>& run, std::size_t) { run.component().add(); });
    }
  }
  const CellVector& vector = values.arguments[addition.argument];
  visit([&vector, &grown, cells = vector.cells.data()](OneComponent<T>& run, std::size_t row) {
    if (cells[row].kind == Cell::Kind::kNull) return;
    add_cell(run.component(), vector, row, grown);
  });
}

template <class T>
inline constexpr bool kOneComponent = false;
template <class T>
inline constexpr bool kOneComponent<OneComponent<T>> = true;

template <class AnyRun>
class GroupTableOf final : public GroupTable {
 public:
  explicit GroupTableOf(const fanfold_memory* memory) : table_(memory) {}

  void add(const Query& query, const char* text, std::span<const Slice> keys, const RowValues& values) override {
    const std::vector<Addition>& additions = query.additions();
    std::int64_t grown = 0;
    if constexpr (kOneComponent<AnyRun>) {
      with_adder<typename AnyRun::Component>(additions[0], values, grown,
                                             [&](const auto& add) { table_.update(text, keys, add); });
    } else {
      table_.update(text, keys, [&](AnyRun& run, std::size_t row) { add_row(run, additions, values, row, grown); });
    }
    table_.charge_added(grown);
  }
  void add_to_one(const Query& query, std::size_t rows, const RowValues& values) override {
    const std::vector<Addition>& additions = query.additions();
    AnyRun& run = table_[std::string_view()];
    std::int64_t grown = 0;
    if constexpr (kOneComponent<AnyRun>) {
      with_adder<typename AnyRun::Component>(additions[0], values, grown, [&](const auto& add) {
        for (std::size_t row = 0; row < rows; ++row) add(run, row);
      });
    } else {
      for (std::size_t row = 0; row < rows; ++row) add_row(run, additions, values, row, grown);
    }
    table_.charge_added(grown);
  }
  fanfold_extent seal() override { return table_.seal(); }
  void reset() override { table_.reset(); }
  void merge(GroupTable& right, unsigned work_part) override {
    table_.merge(static_cast<GroupTableOf&>(right).table_, work_part);
  }
  fanfold_extent extent(unsigned log2_parts, unsigned part) override { return table_.extent(log2_parts, part); }
  void pack(unsigned log2_parts, unsigned part, std::uint8_t* out) override { table_.pack(log2_parts, part, out); }
  bool check(unsigned log2_parts, unsigned part, std::span<const std::uint8_t> bytes,
             fanfold_extent* extent) const override {
    return Keyed::check(log2_parts, part, bytes, extent);
  }
  void reserve(unsigned log2_parts, unsigned part, const fanfold_extent& extent) override {
    table_.reserve(log2_parts, part, extent);
  }
  bool fold(unsigned log2_parts, unsigned part, unsigned packed_log2_parts,
            std::span<const std::uint8_t> bytes) override {
    return table_.fold(log2_parts, part, packed_log2_parts, bytes);
  }
  void release_part(unsigned log2_parts, unsigned part) override { table_.release_part(log2_parts, part); }
  std::uint64_t emit(const Query& query, unsigned log2_parts, unsigned part, Rows& rows) override {
    return emit_part(query, table_.part(log2_parts, part), rows);
  }
  std::uint64_t emit_packed(const Query& query, std::span<const std::uint8_t> bytes, Rows& rows) const override {
    return emit_part(query, Keyed::packed_part(bytes), rows);
  }
  void digest(std::span<const std::uint8_t> bytes, std::uint64_t digest[2]) const override {
    Keyed::digest(bytes, digest);
  }

 private:
  using Keyed = Table<std::string_view, AnyRun>;

  static std::uint64_t emit_part(const Query& query, const typename Keyed::Part& part, Rows& rows) {
    std::uint64_t emitted = 0;
    part.for_each([&](const auto& row) {
      query.emit(row.key, row.fold.view(), rows);
      ++emitted;
    });
    return emitted;
  }

  Keyed table_;
};

// Each size costs a table's code; what lies between is lost to a group.
template <std::size_t... kSizes>
struct Sizes {
  static std::unique_ptr<GroupTable> make(std::size_t bytes, const fanfold_memory* memory) {
    std::unique_ptr<GroupTable> made;
    (void)((bytes <= kSizes && (made = std::make_unique<GroupTableOf<Run<kSizes>>>(memory), true)) || ...);
    return made;
  }
};
using RunSizes = Sizes<8, 16, 32, 48, 64, 128, 256, kRunBytesMax>;

}  // namespace

std::unique_ptr<GroupTable> GroupTable::make(const Layout& layout, const fanfold_memory* memory) {
  const LayoutScope scope(layout);
  if (layout.components().size() == 1) {
    switch (layout.components()[0].kind) {
      case ComponentKind::kCount:
        return std::make_unique<GroupTableOf<OneComponent<Count>>>(memory);
      case ComponentKind::kMoments:
        return std::make_unique<GroupTableOf<OneComponent<NumberMoments>>>(memory);
      case ComponentKind::kNumberColumn:
        return std::make_unique<GroupTableOf<OneComponent<NumberColumn>>>(memory);
      default:
        break;
    }
  }
  return RunSizes::make(layout.bytes(), memory);
}

}  // namespace fanfold::stats
