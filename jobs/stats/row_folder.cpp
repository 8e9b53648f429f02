#include "jobs/stats/row_folder.h"

#include <algorithm>
#include <cstddef>
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

RowFolder::RowFolder(const Query& query, OnError on_error, std::uint32_t kernels, const Shard& shard, Groups& groups)
    : query_(query),
      on_error_(on_error),
      kernels_(kernels),
      null_is_number_(static_cast<bool>(parse_number(query.null()))),
      shard_(shard),
      groups_(groups),
      needs_text_(query.arguments().size(), false) {
  if (query.where()) filter_.emplace(*query.where(), query.null(), kernels);
  values_.arguments.resize(query.arguments().size());
  for (const Addition& addition : query.additions()) {
    if (addition.argument == Addition::kRows) continue;
    const bool takes_text = addition.kind == ComponentKind::kLeast || addition.kind == ComponentKind::kGreatest ||
                            addition.kind == ComponentKind::kTally || addition.kind == ComponentKind::kDistinct;
    needs_text_[addition.argument] = needs_text_[addition.argument] || takes_text;
  }
}

void RowFolder::report() {
  shard_.count_records(std::exchange(records_, 0));
  shard_.count_skipped(std::exchange(skipped_, 0));
}

void RowFolder::malformed(std::uint64_t offset, std::string_view why) {
  if (on_error_ == OnError::kFail) shard_.bad_record(offset, why);
  ++records_;
  ++skipped_;
}

void RowFolder::refuse(std::uint64_t offset, const Fault& fault) {
  shard_.bad_record(offset, "column " + name_in_query(query_.columns()[fault.column]) + ": " + shown(fault.text) +
                                " is no number; use --on-error skip or null, or --null");
}

void RowFolder::judge(const reader::RowBatch& batch, std::size_t row, const Fault& fault) {
  if (on_error_ == OnError::kFail) refuse(batch.offset(selected_[row]), fault);
  if (faulty_[row]) return;
  faulty_[row] = true;
  ++faults_;
}

void RowFolder::add(const reader::RowBatch& batch) {
  records_ += batch.size();
  rendered_.clear();
  select(batch);
  faulty_.assign(selected_.size(), false);
  faults_ = 0;
  compute(batch);
  skipped_ += faults_;
  if (faults_ != 0 && on_error_ == OnError::kSkip) drop_faulty();
  fold(batch);
}

void RowFolder::select(const reader::RowBatch& batch) {
  if (!filter_) {
    while (all_rows_.size() < batch.size()) all_rows_.push_back(static_cast<std::uint32_t>(all_rows_.size()));
    selected_ = std::span(all_rows_).first(batch.size());
    return;
  }
  chosen_.clear();
  BatchRow fields(query_, batch);
  const std::vector<BatchFilter::Verdict>& verdicts = filter_->judge(batch);
  for (std::uint32_t row = 0; row < batch.size(); ++row) {
    if (verdicts[row] == BatchFilter::Verdict::kLeftOut) continue;
    if (verdicts[row] == BatchFilter::Verdict::kChosen) {
      chosen_.push_back(row);
      continue;
    }
    fields.set(row);
    const Value value = query_.where()->evaluate(fields);
    if (value.kind == Value::Kind::kFault) {
      // Unknown: the row is not among those wanted, whether its record or this value is left out.
      if (on_error_ == OnError::kFail) refuse(batch.offset(row), {value.column, value.text});
      ++skipped_;
    } else if (value.kind == Value::Kind::kTruth && value.truth) {
      chosen_.push_back(row);
    }
  }
  selected_ = chosen_;
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

std::span<const Slice> RowFolder::fields_of(const reader::RowBatch& batch, std::uint32_t column) {
  const std::span<const Slice> slices = batch.column(column);
  if (selected_.size() == batch.size()) return slices;
  fields_.resize(selected_.size());
  for (std::size_t row = 0; row < selected_.size(); ++row) fields_[row] = slices[selected_[row]];
  return fields_;
}

void RowFolder::compute_column(const reader::RowBatch& batch, std::size_t index) {
  const Argument& argument = query_.arguments()[index];
  const std::uint32_t column = argument.expression.column();
  const std::span<const Slice> fields = fields_of(batch, column);
  CellVector& vector = values_.arguments[index];
  if (needs_text_[index]) {
    for (std::size_t row = 0; row < fields.size(); ++row) {
      vector.texts[row] = {batch.text() + fields[row].begin, fields[row].end - fields[row].begin};
    }
  }
  if (null_is_number_) {
    std::fill(vector.cells.begin(), vector.cells.end(), Cell{});
  } else {
    static_assert(sizeof(Cell) == sizeof(reader::ReadDecimal) && offsetof(Cell, kind) == 8 &&
                  offsetof(Cell, digits) == 9);
    reader::read_decimals(batch.text(), fields.data(), fields.size(), kernels_,
                          reinterpret_cast<reader::ReadDecimal*>(vector.cells.data()));
  }
  // What is not read is null, wide or no number.
  const std::string_view null = query_.null();
  for (std::size_t row = 0; row < fields.size(); ++row) {
    Cell& cell = vector.cells[row];
    if (cell.kind != Cell::Kind::kNull) [[likely]]
      continue;
    cell = {};
    const std::string_view text(batch.text() + fields[row].begin, fields[row].end - fields[row].begin);
    if (text == null) continue;
    if (const Number number = reader::read_number(text.data(), text.size())) {
      cell = cell_of(number, vector.numbers);
    } else if (!argument.numeric) {
      cell = {0, Cell::Kind::kText, 0};
    } else {
      judge(batch, row, {column, text});
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

void RowFolder::drop_faulty() {
  std::size_t kept = 0;
  chosen_.resize(selected_.size());
  for (std::size_t row = 0; row < selected_.size(); ++row) {
    if (faulty_[row]) continue;
    chosen_[kept] = selected_[row];
    for (CellVector& vector : values_.arguments) {
      vector.cells[kept] = vector.cells[row];
      if (!vector.texts.empty()) vector.texts[kept] = vector.texts[row];
    }
    ++kept;
  }
  selected_ = std::span<const std::uint32_t>(chosen_).first(kept);
}

void RowFolder::fold(const reader::RowBatch& batch) {
  if (selected_.empty()) return;
  const std::vector<std::uint32_t>& keys = query_.keys();
  if (keys.empty()) {
    groups_.add_to_one(selected_.size(), values_);
    return;
  }
  if (keys.size() == 1) {
    groups_.add(batch.text(), fields_of(batch, keys[0]), values_);
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
