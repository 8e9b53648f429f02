// row_writer.h: result rows as text, in the format the user asked for, streaming.
//   csv    RFC 4180 with LF line ends: a header, raw bytes, quoted only where needed. A null is an empty
//          field, empty text is "".
//   json   one array of objects; [] without rows
//   jsonl  one object a line
//   table  aligned columns for people: numbers to the right; control bytes, invalid UTF-8 and characters
//          that steer terminals escaped; null for nulls. The first 10,000 rows (or 4 MiB of them) decide
//          the widths, at most 64; a longer cell is printed whole and shifts its row.
// Numbers are printed so that they read back exactly: integers in full, doubles with the fewest digits
// that do (plain from 1e-5 up to 1e15, else with an exponent). NaN and infinities are nan, inf and -inf in
// csv and table, and the strings "NaN", "Infinity" and "-Infinity" in json and jsonl, which have no numbers
// for them. Decimals are numbers there, digit for digit. Bytes that are not UTF-8 are {"base64": "..."}.
#pragma once

#include <fanfold/abi.h>

#include <memory>
#include <string_view>

#include "engine/failure.h"
#include "engine/protocol/schema.h"
#include "runtime/cli/output/byte_sink.h"

namespace fanfold {

enum class Format { kTable, kCsv, kJson, kJsonl };

[[nodiscard]] Result<Format> parse_format(std::string_view name);

class RowWriter {
 public:
  virtual ~RowWriter() = default;
  // A checked batch of the schema (engine/protocol/row_batch.h). The sink's failures come back.
  virtual Status write(const fanfold_batch& batch) = 0;
  // Whatever is still held back, and what closes the text. Once, after the last batch, also without any.
  virtual Status finish() = 0;
};

// The sink must outlive the writer.
[[nodiscard]] std::unique_ptr<RowWriter> make_row_writer(Format format, const Schema& schema, ByteSink& sink);

}  // namespace fanfold
