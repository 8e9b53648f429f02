#include "jobs/stats/row_folder.h"

#include <utility>

#include "jobs/reader/number_scan.h"
#include "jobs/stats/numbers.h"

namespace fanfold::stats {

namespace {

constexpr std::size_t kShownBytesMax = 80;

// For a sentence: no control bytes, and not endless.
std::string shown(std::string_view text) {
  std::string result = "\"";
  for (const char byte : text.substr(0, kShownBytesMax)) {
    result.push_back(static_cast<unsigned char>(byte) < 0x20 ? '?' : byte);
  }
  return result + (text.size() > kShownBytesMax ? "...\"" : "\"");
}

// A row of a batch for expressions.
class BatchRow final : public RowFields {
 public:
  BatchRow(const Query& query, const reader::RowBatch& batch) : query_(query), batch_(batch) {}
  void set(std::size_t row) { row_ = row; }
  [[nodiscard]] Value field(std::uint32_t column) const override {
    const Slice slice = batch_.column(column)[row_];
    Value value;
    value.text = {batch_.text() + slice.begin, slice.end - slice.begin};
    value.column = column;
    value.kind = value.text == query_.null() ? Value::Kind::kNull : Value::Kind::kField;
    return value;
  }

 private:
  const Query& query_;
  const reader::RowBatch& batch_;
  std::size_t row_ = 0;
};

// A short decimal stays in the cell; any other number goes beside it.
Cell cell_of(const Number& number, std::vector<Number>& numbers) {
  if (number.kind() == Number::Kind::kDecimal && number.decimal().is_narrow()) {
    return {number.decimal().narrow(), Cell::Kind::kNarrow,
            static_cast<std::uint8_t>(number.decimal().fraction_digits())};
  }
  numbers.push_back(number);
  return {static_cast<std::int64_t>(numbers.size() - 1), Cell::Kind::kNumber, 0};
}

}  // namespace

RowFolder::RowFolder(const Query& query, OnError on_error, const Shard& shard, Groups& groups)
    : query_(query), on_error_(on_error), shard_(shard), groups_(groups), needs_text_(query.arguments().size(), false) {
  values_.arguments.resize(query.arguments().size());
  for (const Addition& addition : query.additions()) {
    if (addition.argument == Addition::kRows) continue;
    const bool takes_text = addition.kind == ComponentKind::kLeast || addition.kind == ComponentKind::kGreatest ||
                            addition.kind == ComponentKind::kTally || addition.kind == ComponentKind::kDistinct;
    needs_text_[addition.argument] = needs_text_[addition.argument] || takes_text;
  }
}

std::uint64_t RowFolder::take_records() {
  return std::exchange(records_, 0);
}

void RowFolder::malformed(std::uint64_t offset, std::string_view why) {
  ++records_;
  if (on_error_ == OnError::kFail) shard_.bad_record(offset, why);
}

void RowFolder::refuse(std::uint64_t offset, const Fault& fault) {
  shard_.bad_record(offset, "column " + name_in_query(query_.columns()[fault.column]) + ": " + shown(fault.text) +
                                " is no number; use --on-error skip or null, or --null");
}

void RowFolder::judge(const reader::RowBatch& batch, std::size_t row, const Fault& fault) {
  if (on_error_ == OnError::kFail) refuse(batch.offset(selected_[row]), fault);
  if (on_error_ == OnError::kSkip) {
    dropped_[row] = true;
    any_dropped_ = true;
  }
}

void RowFolder::add(const reader::RowBatch& batch) {
  records_ += batch.size();
  rendered_.clear();
  select(batch);
  dropped_.assign(selected_.size(), false);
  any_dropped_ = false;
  compute(batch);
  if (any_dropped_) drop_marked();
  fold(batch);
}

void RowFolder::select(const reader::RowBatch& batch) {
  selected_.clear();
  if (!query_.where()) {
    for (std::uint32_t row = 0; row < batch.size(); ++row) selected_.push_back(row);
    return;
  }
  BatchRow fields(query_, batch);
  for (std::uint32_t row = 0; row < batch.size(); ++row) {
    fields.set(row);
    const Value value = query_.where()->evaluate(fields);
    if (value.kind == Value::Kind::kFault) {
      // Unknown: the row is not among those wanted, whether its record or this value is left out.
      if (on_error_ == OnError::kFail) refuse(batch.offset(row), {value.column, value.text});
    } else if (value.kind == Value::Kind::kTruth && value.truth) {
      selected_.push_back(row);
    }
  }
}

void RowFolder::compute(const reader::RowBatch& batch) {
  for (std::size_t index = 0; index < query_.arguments().size(); ++index) {
    CellVector& vector = values_.arguments[index];
    vector.numbers.clear();
    vector.cells.resize(selected_.size());
    vector.texts.resize(needs_text_[index] ? selected_.size() : 0);
    if (query_.arguments()[index].expression.is_column()) {
      compute_column(batch, index);
    } else {
      compute_expression(batch, index);
    }
  }
}

void RowFolder::compute_column(const reader::RowBatch& batch, std::size_t index) {
  const Argument& argument = query_.arguments()[index];
  const std::uint32_t column = argument.expression.column();
  const Slice* slices = batch.column(column).data();
  CellVector& vector = values_.arguments[index];
  const bool keeps_text = needs_text_[index];
  const std::string_view null = query_.null();
  const bool all = selected_.size() == batch.size();
  for (std::size_t row = 0; row < selected_.size(); ++row) {
    const Slice slice = slices[all ? row : selected_[row]];
    const char* text = batch.text() + slice.begin;
    const std::size_t size = slice.end - slice.begin;
    Cell& cell = vector.cells[row];
    if (size == null.size() && std::memcmp(text, null.data(), size) == 0) [[unlikely]] {
      cell = {};
      continue;
    }
    if (keeps_text) vector.texts[row] = {text, size};
    if (size != 0) {
      const reader::ShortDecimal quick = reader::read_short_decimal(text, size);
      if (quick.good) [[likely]] {
        cell = {quick.coefficient, Cell::Kind::kNarrow, static_cast<std::uint8_t>(quick.fraction_digits)};
        continue;
      }
    }
    if (const Number number = parse_number({text, size})) {
      cell = cell_of(number, vector.numbers);
    } else if (!argument.numeric) {
      cell = {0, Cell::Kind::kText, 0};
    } else {
      cell = {};
      judge(batch, row, {column, {text, size}});
    }
  }
}

void RowFolder::compute_expression(const reader::RowBatch& batch, std::size_t index) {
  const Argument& argument = query_.arguments()[index];
  CellVector& vector = values_.arguments[index];
  BatchRow fields(query_, batch);
  for (std::size_t row = 0; row < selected_.size(); ++row) {
    fields.set(selected_[row]);
    Value value = argument.expression.evaluate(fields);
    Cell& cell = vector.cells[row];
    cell = {};
    if (value.kind == Value::Kind::kText) {
      // A constant: min("x"), count("x").
      const Value as_number = Expression::as_number(value);
      if (needs_text_[index]) vector.texts[row] = value.text;
      if (as_number.kind == Value::Kind::kNumber) {
        cell = cell_of(as_number.number, vector.numbers);
      } else if (!argument.numeric) {
        cell = {0, Cell::Kind::kText, 0};
      }
    } else if (value.kind == Value::Kind::kNumber) {
      cell = cell_of(value.number, vector.numbers);
      if (needs_text_[index]) vector.texts[row] = rendered_.emplace_back(text_of(value.number));
    } else if (value.kind == Value::Kind::kFault) {
      judge(batch, row, {value.column, value.text});
    }
  }
}

void RowFolder::drop_marked() {
  std::size_t kept = 0;
  for (std::size_t row = 0; row < selected_.size(); ++row) {
    if (dropped_[row]) continue;
    selected_[kept] = selected_[row];
    for (CellVector& vector : values_.arguments) {
      vector.cells[kept] = vector.cells[row];
      if (!vector.texts.empty()) vector.texts[kept] = vector.texts[row];
    }
    ++kept;
  }
  selected_.resize(kept);
}

void RowFolder::fold(const reader::RowBatch& batch) {
  if (selected_.empty()) return;
  const std::vector<std::uint32_t>& keys = query_.keys();
  if (keys.empty()) {
    groups_.add_to_one(selected_.size(), values_);
    return;
  }
  if (keys.size() == 1) {
    std::span<const Slice> slices = batch.column(keys[0]);
    if (selected_.size() != batch.size()) {
      keys_.resize(selected_.size());
      for (std::size_t row = 0; row < selected_.size(); ++row) keys_[row] = slices[selected_[row]];
      slices = keys_;
    }
    groups_.add(batch.text(), slices, values_);
    return;
  }
  constexpr std::size_t kSlack = 16;
  key_bytes_.clear();
  keys_.resize(selected_.size());
  for (std::size_t row = 0; row < selected_.size(); ++row) {
    keys_[row].begin = static_cast<std::uint32_t>(key_bytes_.size());
    for (const std::uint32_t column : keys) {
      const Slice slice = batch.column(column)[selected_[row]];
      Query::append_key(key_bytes_, {batch.text() + slice.begin, slice.end - slice.begin});
    }
    keys_[row].end = static_cast<std::uint32_t>(key_bytes_.size());
  }
  key_bytes_.append(kSlack, '\0');
  groups_.add(key_bytes_.data(), keys_, values_);
}

}  // namespace fanfold::stats
