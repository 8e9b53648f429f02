// stats: group-by statistics of delimited files and JSON lines, exact and the same on any workers and shard sizes. Here
// are the parameters, the sources' headers, and the way from blocks to rows; docs/stats.md is the user's page.
#include <algorithm>
#include <cstdint>
#include <fanfold/job.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/reader/delimited_reader.h"
#include "jobs/stats/groups.h"
#include "jobs/stats/json_reader.h"
#include "jobs/stats/lexer.h"
#include "jobs/stats/query.h"
#include "jobs/stats/row_folder.h"

namespace {

using fanfold::InputError;
using fanfold::UsageError;
using fanfold::reader::DelimitedReader;
using fanfold::reader::RowBatch;
using fanfold::stats::OnError;
using fanfold::stats::Query;
using fanfold::stats::RowFolder;

struct Stats;

// The partial, made from the job.
class Partial : public fanfold::stats::Groups {
 public:
  Partial(const Stats& job, const fanfold_memory* memory);
};

// Which of a source's columns are read.
struct Header {
  std::vector<std::uint32_t> wanted;
  std::uint32_t width = 0;
};

struct Stats {
  using Partial = ::Partial;
  static constexpr std::uint32_t flags = FANFOLD_JOB_NEEDS_HEAD;
  static constexpr const char* help =
      "Groups rows by --by and computes --agg of each group: count(), count(x), sum, mean, min, max, var, var_pop,\n"
      "stddev, stddev_pop, distinct, approx_distinct, median, quantile(x, rank), p99 and the like, mode. x is a "
      "column\n"
      "or an expression: sum(price * quantity). Columns are named by the first line of each file.\n"
      "  fanfold run stats trips/*.csv --by city --agg 'count(), mean(fare) as fare' --where 'fare > 0'";

  std::string by;
  std::string agg = "count()";
  std::string where;
  std::string order_by;
  std::string input = "csv";
  std::string delimiter;
  bool header = true;
  std::string columns;
  bool quotes = true;
  bool quoted_newlines = false;
  std::string comment;
  std::string ragged = "error";
  std::string null;
  std::string on_error = "fail";
  std::int64_t decimals = -1;

  static void parameters(fanfold::Parameters<Stats>& parameters) {
    parameters.text("by", &Stats::by, "Columns to group by, separated by commas; without it all rows are one group.");
    parameters.text("agg", &Stats::agg, "Aggregates, separated by commas, each with an optional `as NAME`.");
    parameters.text("where", &Stats::where, "Only rows for which this condition is true.");
    parameters.text("order-by", &Stats::order_by, "Result columns, each with an optional asc or desc.");
    parameters.choice("input", &Stats::input, "csv|tsv|jsonl", "What the input is.");
    parameters.text("delimiter", &Stats::delimiter, "What separates fields: one ASCII character, or tab.");
    parameters.flag("header", &Stats::header, "Whether the first line of each file names the columns.");
    parameters.text("columns", &Stats::columns, "The columns' names, separated by commas, with --no-header.");
    parameters.flag("quotes", &Stats::quotes, "Whether fields may stand in double quotes.");
    parameters.flag("quoted-newlines", &Stats::quoted_newlines,
                    "Whether quoted fields may hold line ends; then a file is not cut into shards.");
    parameters.whole_sources();
    parameters.text("comment", &Stats::comment,
                    "Lines that begin with this are passed over; then a file is not cut into shards.");
    parameters.whole_sources();
    parameters.choice("ragged", &Stats::ragged, "error|pad",
                      "Rows of the wrong width: bad records, or filled up with nulls and cut.");
    parameters.text("null", &Stats::null, "The text that is null; empty fields are by default.");
    parameters.choice("on-error", &Stats::on_error, "fail|skip|null",
                      "A value that does not parse: ends the run, costs its record, or is null.");
    parameters.integer("decimals", &Stats::decimals, -1, 1074,
                       "Fraction digits of results, halves rounded towards plus infinity; -1: as they are.");
  }

  void check() {
    fanfold::stats::QueryTexts texts;
    texts.by = by;
    texts.aggregates = agg;
    texts.where = where;
    texts.order_by = order_by;
    texts.decimals = static_cast<int>(decimals);
    texts.null = null;
    auto made = std::make_shared<const Query>(texts);
    constexpr std::size_t most = fanfold::stats::kRunBytesMax;
    if (made->layout().bytes() > most) {
      throw UsageError{"the aggregates need " + std::to_string(made->layout().bytes()) + " bytes for each group, and " +
                       std::to_string(most) + " are possible; ask for fewer at once"};
    }
    query = std::move(made);
    check_format();
  }

  void opened(const fanfold_host& host) { kernels = host.kernels; }

  void schema(fanfold::SchemaBuilder& schema) const { query->declare(schema); }

  void map(const fanfold::Shard& shard, Partial& partial) const {
    if (shard.is_range()) throw InputError{"stats reads files, not ranges of numbers; name a file"};
    RowFolder folder(*query, on_error_kind, kernels, shard, partial);
    if (input == "jsonl") return map_json(shard, folder);
    DelimitedReader reader(format, kernels);
    bool ready = false;
    const auto visit = [&](const RowBatch& batch) { folder.add(batch); };
    const auto malformed = [&](std::uint64_t offset, std::string_view why) { folder.malformed(offset, why); };
    const auto set = [&](const Header& found) {
      reader.set_columns(found.wanted, found.width);
      ready = true;
    };
    if (!header) set(header_of(column_names, shard));
    shard.for_each_block([&](const fanfold::Block& block) {
      shard.mark(block.offset);
      std::string_view text = block.bytes;
      if (block.offset == 0) {
        text.remove_prefix(text.starts_with(kMark) ? kMark.size() : 0);
        if (text.empty()) return;  // a mark alone is an empty file
        if (header) {
          std::string_view record;
          std::size_t bytes = 0;
          if (!format.quoted_newlines && format.comment.empty() && is_blank(text.substr(0, text.find('\n')))) {
            throw InputError{name_of(shard) +
                             " begins with a blank line where the columns' names are expected; take "
                             "it out, or use --no-header and --columns"};
          }
          if (!reader.first_record(text, record, bytes)) return;
          set(header_of(names_in(record, shard), shard));
          text.remove_prefix(bytes);
        }
      } else if (!ready) {
        std::string_view head = shard.head();
        head.remove_prefix(head.starts_with(kMark) ? kMark.size() : 0);
        if (head.ends_with('\r')) head.remove_suffix(1);
        if (head.empty()) return;  // the shard with the source's begin says what is wrong
        set(header_of(names_in(head, shard), shard));
      }
      if (!text.empty()) {
        reader.read(text, block.offset + static_cast<std::uint64_t>(text.data() - block.bytes.data()), visit,
                    malformed);
      }
      folder.report();
    });
    reader.finish(visit, malformed);
    folder.report();
  }

  void finish(const Partial::Part& part, fanfold::Rows& rows) const {
    const std::uint64_t emitted = part.emit(rows);
    // Without keys there is one group, of no rows too. It is told by the part in which its key would lie.
    if (emitted != 0 || !query->keys().empty()) return;
    const std::uint64_t hash = fanfold::encode_key({}).meta;
    const std::uint64_t home = part.log2_parts() == 0 ? 0 : hash >> (64 - part.log2_parts());
    if (part.number() != home) return;
    const fanfold::stats::LayoutScope scope(query->layout());
    const fanfold::stats::Run<fanfold::stats::kRunBytesMax> nothing;
    query->emit({}, nothing.view(), rows);
    rows.flush();
  }

  std::shared_ptr<const Query> query;

 private:
  static constexpr std::string_view kMark = "\xef\xbb\xbf";  // UTF-8's byte order mark

  void map_json(const fanfold::Shard& shard, RowFolder& folder) const {
    fanfold::stats::JsonReader reader(query->columns(), null);
    shard.for_each_block([&](const fanfold::Block& block) {
      shard.mark(block.offset);
      std::string_view text = block.bytes;
      if (block.offset == 0 && text.starts_with(kMark)) text.remove_prefix(kMark.size());
      reader.read(
          text, block.offset + (block.bytes.size() - text.size()), [&](const RowBatch& batch) { folder.add(batch); },
          [&](std::uint64_t offset, std::string_view why) { folder.malformed(offset, why); });
      folder.report();
    });
  }

  static bool is_blank(std::string_view line) { return line.empty() || line == "\r"; }
  static std::string name_of(const fanfold::Shard& shard) { return "\"" + std::string(shard.name()) + "\""; }

  // What tells how delimited files are read is refused where it would mean nothing.
  void check_json() const {
    const auto refuse_if = [](bool given, const std::string& flag) {
      if (given) throw UsageError{flag + " is for delimited files; leave it out with --input jsonl"};
    };
    refuse_if(!header, "--no-header");
    refuse_if(!columns.empty(), "--columns");
    refuse_if(!delimiter.empty(), "--delimiter");
    refuse_if(!quotes, "--no-quotes");
    refuse_if(quoted_newlines, "--quoted-newlines");
    refuse_if(!comment.empty(), "--comment");
    refuse_if(ragged == "pad", "--ragged");
  }

  void check_format() {
    if (input == "jsonl") check_json();
    on_error_kind = on_error == "fail" ? OnError::kFail : on_error == "skip" ? OnError::kSkip : OnError::kNull;
    format.delimiter = input == "tsv" ? '\t' : ',';
    if (!delimiter.empty()) {
      if (delimiter == "tab" || delimiter == "\\t") {
        format.delimiter = '\t';
      } else if (delimiter.size() == 1 && static_cast<unsigned char>(delimiter[0]) < 0x80 && delimiter[0] != '"' &&
                 delimiter[0] != '\n' && delimiter[0] != '\r') {
        format.delimiter = delimiter[0];
      } else {
        throw UsageError{
            "--delimiter takes one ASCII character that is neither a quote nor a line's end, or tab, not \"" +
            delimiter + "\""};
      }
    }
    if (comment.find_first_of("\r\n") != std::string::npos) throw UsageError{"--comment holds a line's end"};
    format.quotes = quotes;
    format.quoted_newlines = quoted_newlines;
    if (quoted_newlines && !quotes) throw UsageError{"--quoted-newlines and --no-quotes contradict each other"};
    format.comment = comment;
    format.pad = ragged == "pad";
    format.padding = null;
    if (header && !columns.empty())
      throw UsageError{"--columns names the columns of files without a header; add --no-header"};
    if (!header && columns.empty()) {
      throw UsageError{"--no-header needs the columns' names: --columns a,b,c"};
    }
    if (!columns.empty()) {
      fanfold::stats::Lexer lexer("--columns", columns);
      do {
        if (lexer.peek().kind != fanfold::stats::TokenKind::kName) lexer.expected("a column's name");
        column_names.push_back(lexer.take().text);
      } while (lexer.take_symbol(","));
      if (!lexer.at_end()) lexer.expected("a comma or the end");
      for (const std::string& column : query->columns()) {
        const auto count = std::count(column_names.begin(), column_names.end(), column);
        if (count == 0) throw UsageError{"--columns names no column " + fanfold::stats::name_in_query(column)};
        if (count > 1) throw UsageError{"--columns names " + fanfold::stats::name_in_query(column) + " twice"};
      }
    }
  }

  std::vector<std::string> names_in(std::string_view record, const fanfold::Shard& shard) const {
    if (record.find('\r') != std::string_view::npos && record.find('"') == std::string_view::npos) {
      throw InputError{"the lines of " + name_of(shard) +
                       " end with CR alone, as far as its first one shows; turn them into LF, with tr '\\r' '\\n'"};
    }
    std::vector<std::string> names;
    if (!fanfold::reader::split_row(record, format, names)) {
      throw InputError{"the header of " + name_of(shard) + " has a quote that is not closed, or something behind it" +
                       (quoted_newlines ? std::string() : "; use --quoted-newlines if names hold line ends")};
    }
    return names;
  }

  Header header_of(const std::vector<std::string>& names, const fanfold::Shard& shard) const {
    Header found;
    found.width = static_cast<std::uint32_t>(names.size());
    for (const std::string& column : query->columns()) {
      const auto at = std::find(names.begin(), names.end(), column);
      if (at == names.end()) {
        std::string all;
        for (const std::string& name : names) all += (all.empty() ? "" : ", ") + fanfold::stats::name_in_query(name);
        throw InputError{name_of(shard) + " has no column " + fanfold::stats::name_in_query(column) +
                         "; its columns are " + all.substr(0, 1000)};
      }
      if (std::find(at + 1, names.end(), column) != names.end()) {
        throw InputError{"the header of " + name_of(shard) + " names the column " +
                         fanfold::stats::name_in_query(column) +
                         " twice; rename one, or use --no-header and --columns"};
      }
      found.wanted.push_back(static_cast<std::uint32_t>(at - names.begin()));
    }
    return found;
  }

  OnError on_error_kind = OnError::kFail;
  fanfold::reader::DelimitedOptions format;
  std::vector<std::string> column_names;
  std::uint32_t kernels = FANFOLD_KERNELS_PORTABLE;
};

Partial::Partial(const Stats& job, const fanfold_memory* memory) : Groups(*job.query, memory) {}

}  // namespace

FANFOLD_JOB(Stats, "stats", "1.0.0", "Groups rows of tables and computes exact statistics of each group.")
