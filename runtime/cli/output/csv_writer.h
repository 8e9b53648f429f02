// csv_writer.h: rows as RFC 4180 text; row_writer.h has the rules.
#pragma once

#include "runtime/cli/output/row_writer.h"

namespace fanfold {

class CsvWriter final : public RowWriter {
 public:
  CsvWriter(const Schema& schema, ByteSink& sink);
  Status write(const fanfold_batch& batch) override;
  Status finish() override;

 private:
  Schema schema_;
  OutputBuffer buffer_;
};

}  // namespace fanfold
