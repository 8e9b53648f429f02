#include "runtime/log/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "engine/quoted.h"
#include "runtime/log/record_text.h"

namespace fanfold::log {

namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 3> kFormats = {"", "text", "json"};

spdlog::level::level_enum level_of(Severity severity) {
  constexpr std::array kOf = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
  return kOf[static_cast<std::size_t>(severity)];
}

// Time and level are spdlog's to write; what is behind them is record_text.h's.
const char* pattern_of(Format format) {
  switch (format) {
    case Format::kPlain:
      break;
    case Format::kText:
      return "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
    case Format::kJson:
      return R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)";
  }
  return "fanfold: %v";
}

// spdlog's own sinks write through stdio, whose buffer a crash or a fork would keep or double.
class StandardErrorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    (void)!::write(STDERR_FILENO, line.data(), line.size());
  }
  void flush_() override {}
};

std::string body_of(Format format, const Record& record) {
  switch (format) {
    case Format::kPlain:
      break;
    case Format::kText:
      return text_of(record);
    case Format::kJson:
      return json_of(record);
  }
  return escaped(record.sentence);
}

// So many bytes are for time, level and the line's end.
constexpr std::size_t kBodyBytesMax = kLineBytesMax - 96;

// Up to `size` bytes, not cut inside a character of UTF-8.
std::string_view beginning_of(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

Status parse_format(const std::string& text, Options& options) {
  if (text == kFormats[1] || text == kFormats[2]) {
    options.format = text == kFormats[1] ? Format::kText : Format::kJson;
    return success();
  }
  return Failure{ExitCode::kUsage, "--log-format takes text or json, not " + fanfold::quoted(text)};
}

Status parse_level(const std::string& text, Options& options) {
  const auto* const found = std::find(kLevels.begin(), kLevels.end(), text);
  if (found == kLevels.end()) {
    return Failure{ExitCode::kUsage, "--log-level takes debug, info, warning or error, not " + fanfold::quoted(text)};
  }
  options.least = static_cast<Severity>(found - kLevels.begin());
  return success();
}

std::string to_word(const Options& options) {
  return std::string(kFormats[static_cast<std::size_t>(options.format)]) + "," +
         std::string(kLevels[static_cast<std::size_t>(options.least)]);
}

Options from_word(std::string_view word) {
  Options options;
  const std::size_t comma = std::min(word.find(','), word.size());
  const auto* const format = std::find(kFormats.begin(), kFormats.end(), word.substr(0, comma));
  if (format != kFormats.end()) options.format = static_cast<Format>(format - kFormats.begin());
  if (comma < word.size()) (void)parse_level(std::string(word.substr(comma + 1)), options);
  return options;
}

Log::Log(const Options& options, std::string role, std::string name, Fields context)
    : options_(options), role_(std::move(role)), name_(std::move(name)), context_(std::move(context)) {}

void Log::write(Severity severity, std::string_view sentence, const Fields& fields) const {
  if (severity < options_.least) return;
  Record record;
  record.role = role_;
  record.name = name_;
  record.pid = static_cast<std::uint64_t>(getpid());
  record.sentence = sentence;
  record.context = &context_;
  record.fields = &fields;
  std::string body = body_of(options_.format, record);
  std::string shorter;
  for (std::size_t size = kBodyBytesMax; body.size() > kBodyBytesMax && size > 0; size /= 2) {
    shorter = std::string(beginning_of(sentence, size)) + "...";
    record.sentence = shorter;
    body = body_of(options_.format, record);
  }
  // Made for each record: they are few, and a process that says nothing, as nearly all of an embedded run, pays
  // nothing.
  spdlog::logger logger({}, std::make_shared<StandardErrorSink>());
  logger.set_level(spdlog::level::trace);
  logger.set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern_of(options_.format), spdlog::pattern_time_type::utc, "\n"));
  logger.log(level_of(severity), spdlog::string_view_t(body.data(), body.size()));
}

}  // namespace fanfold::log
