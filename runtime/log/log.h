// log.h: what the processes of a node tell its operator on standard error: a line a record, written at once, so that
// processes that share it do not mix their lines.
//
//   plain   fanfold: SENTENCE                                              of an embedded run
//   text    2026-11-26T03:03:13.042Z info root: SENTENCE  node="w1"        fields that the sentence does not have
//   json    {"time":"2026-11-26T03:03:13.042Z","level":"info","role":"root","name":"host","pid":7,"message":"SENTENCE",
//            "run":"...","node":"w1"}                                      every field
//
// What comes from the network or from jobs cannot break a line or steer a terminal: control bytes are escaped, bytes
// that are no UTF-8 are replaced in JSON, and a line has kLineBytesMax at most.
//
// Threads: one at a time a Log; any number of Logs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/failure.h"
#include "engine/severity.h"

namespace fanfold::log {

enum class Format : std::uint8_t { kPlain, kText, kJson };

struct Options {
  Format format = Format::kPlain;
  Severity least = Severity::kInfo;  // what is below is left out
};

// "text", "json"; "debug", "info", "warning", "error". Exit 2 for another, naming the flag.
Status parse_format(const std::string& text, Options& options);
Status parse_level(const std::string& text, Options& options);
// A word by which a process tells its children; from_word takes what to_word gave.
[[nodiscard]] std::string to_word(const Options& options);
[[nodiscard]] Options from_word(std::string_view word);

struct Field {
  std::string name;  // lower case, as in JSON
  std::variant<std::string, std::uint64_t> value;
};
using Fields = std::vector<Field>;

// What a pipe takes at once, whoever else writes to it.
inline constexpr std::size_t kLineBytesMax = 4096;

class Log {
 public:
  // `role` is what the process is ("root", "worker", "gatherer"), `name` which one; `context` goes into every record.
  Log(const Options& options, std::string role, std::string name, Fields context = {});

  // A sentence without a full stop. One write; what standard error does not take is lost.
  void write(Severity severity, std::string_view sentence, const Fields& fields = {}) const;
  void debug(std::string_view sentence, const Fields& fields = {}) const { write(Severity::kDebug, sentence, fields); }
  void info(std::string_view sentence, const Fields& fields = {}) const { write(Severity::kInfo, sentence, fields); }
  void warning(std::string_view sentence, const Fields& fields = {}) const {
    write(Severity::kWarning, sentence, fields);
  }
  void error(std::string_view sentence, const Fields& fields = {}) const { write(Severity::kError, sentence, fields); }

  [[nodiscard]] const Options& options() const { return options_; }

 private:
  const Options options_;
  const std::string role_;
  const std::string name_;
  const Fields context_;
};

}  // namespace fanfold::log
