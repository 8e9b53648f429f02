#include "runtime/cli/output/row_writer.h"

#include <string>

#include "engine/assertion.h"
#include "engine/quoted.h"
#include "runtime/cli/output/csv_writer.h"
#include "runtime/cli/output/json_writer.h"
#include "runtime/cli/output/table_writer.h"

namespace fanfold {

Result<Format> parse_format(std::string_view name) {
  if (name == "table") return Format::kTable;
  if (name == "csv") return Format::kCsv;
  if (name == "json") return Format::kJson;
  if (name == "jsonl") return Format::kJsonl;
  return Failure{ExitCode::kUsage, "there is no format " + quoted(name) + "; use table, csv, json or jsonl."};
}

std::unique_ptr<RowWriter> make_row_writer(Format format, const Schema& schema, ByteSink& sink) {
  switch (format) {
    case Format::kTable:
      return std::make_unique<TableWriter>(schema, sink);
    case Format::kCsv:
      return std::make_unique<CsvWriter>(schema, sink);
    case Format::kJson:
      return std::make_unique<JsonWriter>(schema, sink, false);
    case Format::kJsonl:
      return std::make_unique<JsonWriter>(schema, sink, true);
  }
  FANFOLD_ASSERT(false, "a format without a writer");
}

}  // namespace fanfold
