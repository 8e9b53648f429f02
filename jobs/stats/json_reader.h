// json_reader.h: JsonReader, lines of JSON objects as batches of rows, as DelimitedReader gives those of delimited
// text: a column is a member's path (`a.b`), strings unescaped, numbers as written, what is absent or null the null
// text. Parsed by simdjson; what it refuses is no row. Threads: a reader a thread.
#pragma once

#include <fanfold/slice.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/reader/delimited_reader.h"

namespace fanfold::stats {

class JsonReader {
 public:
  JsonReader(const std::vector<std::string>& paths, std::string_view null);
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  using Visitor = std::function<void(const reader::RowBatch&)>;
  using Malformed = std::function<void(std::uint64_t offset, std::string_view why)>;
  // A block of whole lines, `offset` bytes from the source's begin; 64 bytes behind it may be read.
  void read(std::string_view block, std::uint64_t offset, const Visitor& visit, const Malformed& malformed);

 private:
  struct Parser;
  void give_rows(std::uint64_t offset, const Visitor& visit);

  std::unique_ptr<Parser> parser_;
};

}  // namespace fanfold::stats
