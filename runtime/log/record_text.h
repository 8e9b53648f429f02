// record_text.h: the part of a record behind its time and level, as text or as JSON. Pure.
#pragma once

#include <string>
#include <string_view>

#include "runtime/log/log.h"

namespace fanfold::log {

struct Record {
  std::string_view role;
  std::string_view name;
  std::uint64_t pid = 0;
  std::string_view sentence;
  const Fields* context = nullptr;
  const Fields* fields = nullptr;
};

// Control bytes as \n, \t or \xNN.
[[nodiscard]] std::string escaped(std::string_view text);

// "root: SENTENCE  node=\"w1\""; a field whose value the sentence has is left out.
[[nodiscard]] std::string text_of(const Record& record);
// "\"role\":\"root\",...}": the members of an object, and its end.
[[nodiscard]] std::string json_of(const Record& record);

}  // namespace fanfold::log
