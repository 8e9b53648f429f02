#include "jobs/stats/json_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace fanfold::stats {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kSlack = 64;
constexpr std::size_t kBatchTextBytes = std::size_t{64} << 10;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// Whether a token that begins like a number is one (RFC 8259): the parser looks at its first byte alone.
bool is_number(std::string_view token) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < token.size() && token[at] >= '0' && token[at] <= '9') ++at;
    return at - begin;
  };
  const auto take = [&](std::string_view choices) {
    const bool found = at < token.size() && choices.find(token[at]) != std::string_view::npos;
    at += found ? 1 : 0;
    return found;
  };
  take("-");
  if (!take("0") && digits() == 0) return false;
  if (take(".") && digits() == 0) return false;
  if (take("eE")) {
    take("+-");
    if (digits() == 0) return false;
  }
  return at == token.size();
}

}  // namespace

struct JsonReader::Parser {
  Parser(const std::vector<std::string>& wanted, std::string_view null_text)
      : paths(wanted), null(null_text), columns(wanted.size()), row(wanted.size()) {
    text.assign(kSlack, '\0');
  }

  void put(std::size_t column, std::string_view value) {
    const auto begin = static_cast<std::uint32_t>(text.size() - kSlack);
    text.append(value);
    row[column] = {begin, static_cast<std::uint32_t>(begin + value.size())};
  }

  // The members of an object whose own path, with a point behind it, is `prefix`. Goes as deep as the query's paths.
  void take_members(ondemand::object object, const std::string& prefix) {
    for (auto field : object) {
      const std::string_view key = field.unescaped_key();
      std::string path = prefix;
      path += key;
      ondemand::value value = field.value();
      const bool inner = std::any_of(paths.begin(), paths.end(), [&](const std::string& wanted) {
        return wanted.size() > path.size() && wanted.starts_with(path) && wanted[path.size()] == '.';
      });
      const auto found = std::find(paths.begin(), paths.end(), path);
      if (found == paths.end() && !inner) continue;
      take_value(value, path, found == paths.end() ? paths.size() : static_cast<std::size_t>(found - paths.begin()),
                 inner);
    }
  }
  // `column` is the number of the column that it is, or of none.
  void take_value(ondemand::value value, const std::string& path, std::size_t column, bool inner) {
    const bool wanted = column < paths.size();
    switch (value.type()) {
      case ondemand::json_type::object: {
        ondemand::object object = value.get_object();
        if (wanted) {
          put(column, object.raw_json());
          object.reset();
        }
        if (inner) take_members(object, path + ".");
        return;
      }
      case ondemand::json_type::array:
        if (wanted) {
          // From its bracket to the next token.
          const char* begin = value.raw_json_token().data();
          for (auto element : value.get_array()) element.value();
          std::string_view list(begin, static_cast<std::size_t>(document->current_location().value() - begin));
          list.remove_suffix(list.size() - 1 - list.rfind(']'));
          put(column, list);
        }
        return;
      case ondemand::json_type::string:
        if (wanted) put(column, value.get_string());
        return;
      case ondemand::json_type::null:
        if (!value.is_null()) throw simdjson::simdjson_error(simdjson::N_ATOM_ERROR);
        if (wanted) put(column, null);
        return;
      case ondemand::json_type::boolean:
        if (wanted) put(column, value.get_bool() ? "true" : "false");
        return;
      case ondemand::json_type::number: {
        std::string_view token = value.raw_json_token();
        while (!token.empty() && std::strchr(" \t\r\n", token.back()) != nullptr) token.remove_suffix(1);
        if (!wanted) return;
        if (!is_number(token)) throw simdjson::simdjson_error(simdjson::NUMBER_ERROR);
        put(column, token);
        return;
      }
    }
  }

  std::vector<std::string> paths;
  std::string null;
  ondemand::parser parser;
  ondemand::document* document = nullptr;  // the line's
  std::string text;                        // kSlack bytes, then the fields
  std::vector<std::vector<Slice>> columns;
  std::vector<Slice> row;
  std::vector<std::uint32_t> begins;
};

JsonReader::JsonReader(const std::vector<std::string>& paths, std::string_view null)
    : parser_(std::make_unique<Parser>(paths, null)) {}
JsonReader::~JsonReader() = default;

void JsonReader::read(std::string_view block, std::uint64_t offset, const Visitor& visit, const Malformed& malformed) {
  Parser& parser = *parser_;
  for (std::size_t at = 0; at < block.size();) {
    const std::size_t end = std::min(block.find('\n', at), block.size());
    const std::size_t begin = at;
    const std::string_view line = block.substr(begin, end - begin);
    at = end + 1;
    if (is_blank(line)) continue;
    const std::size_t text_before = parser.text.size();
    try {
      std::fill(parser.row.begin(), parser.row.end(), Slice{UINT32_MAX, UINT32_MAX});
      ondemand::document document =
          parser.parser.iterate(simdjson::padded_string_view(line.data(), line.size(), line.size() + kSlack));
      parser.document = &document;
      parser.take_members(document.get_object(), "");
      if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
        throw simdjson::simdjson_error(simdjson::TRAILING_CONTENT);
    } catch (const simdjson::simdjson_error& error) {
      parser.text.resize(text_before);
      give_rows(offset, visit);
      malformed(offset + begin, std::string("the line is no JSON object (") + error.what() + ")");
      continue;
    }
    for (std::size_t column = 0; column < parser.row.size(); ++column) {
      if (parser.row[column].begin == UINT32_MAX) parser.put(column, parser.null);
      parser.columns[column].push_back(parser.row[column]);
    }
    parser.begins.push_back(static_cast<std::uint32_t>(begin));
    if (parser.begins.size() == reader::DelimitedReader::kBatchRows || parser.text.size() >= kBatchTextBytes) {
      give_rows(offset, visit);
    }
  }
  give_rows(offset, visit);
}

void JsonReader::give_rows(std::uint64_t offset, const Visitor& visit) {
  Parser& parser = *parser_;
  if (parser.begins.empty()) return;
  parser.text.append(kSlack, '\0');
  visit(reader::RowBatch(parser.text.data() + kSlack, offset, parser.begins, parser.columns, 0));
  parser.text.resize(kSlack);
  parser.begins.clear();
  for (std::vector<Slice>& column : parser.columns) column.clear();
}

}  // namespace fanfold::stats
