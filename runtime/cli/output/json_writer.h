// json_writer.h: rows as JSON objects, in one array or one a line; row_writer.h has the rules.
#pragma once

#include <string>
#include <vector>

#include "runtime/cli/output/row_writer.h"

namespace fanfold {

class JsonWriter final : public RowWriter {
 public:
  // `lines`: one object a line, else one array of them.
  JsonWriter(const Schema& schema, ByteSink& sink, bool lines);
  Status write(const fanfold_batch& batch) override;
  Status finish() override;

 private:
  void put_text(std::string_view text);
  void put_decimal(std::string_view text);
  void put_double(double value);

  std::vector<ColumnType> types_;
  std::vector<std::string> keys_;  // as they stand before a value: {"word": or ,"count":
  bool lines_;
  bool first_ = true;
  OutputBuffer buffer_;
};

}  // namespace fanfold
