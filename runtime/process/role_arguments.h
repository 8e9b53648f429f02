// role_arguments.h: the KEY=VALUE words by which this program starts itself in another role. What they
// say is written by our own code: a word that is missing is an assertion, not a usage error.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/assertion.h"

namespace fanfold::process {

class RoleArguments {
 public:
  // Behind the role's name: argv[2] and on.
  RoleArguments(int argc, char** argv) {
    for (int index = 2; index < argc; ++index) {
      const std::string word = argv[index];
      const std::size_t equals = word.find('=');
      FANFOLD_ASSERT(equals != std::string::npos, word);
      words_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  [[nodiscard]] const std::string& text(const std::string& key) const {
    const auto found = words_.find(key);
    FANFOLD_ASSERT(found != words_.end(), key);
    return found->second;
  }
  [[nodiscard]] std::uint64_t number(const std::string& key) const {
    const std::string& word = text(key);
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
    FANFOLD_ASSERT(parsed.ec == std::errc() && parsed.ptr == word.data() + word.size(), word);
    return value;
  }

 private:
  std::map<std::string, std::string> words_;
};

// A list in one word, and back: none of ours has a line's end in it.
inline std::string joined(const std::vector<std::string>& texts) {
  std::string word;
  for (const std::string& text : texts) word += (word.empty() ? "" : "\n") + text;
  return word;
}
inline std::vector<std::string> lines_of(const std::string& word) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t end = std::min(word.find('\n', at), word.size());
    lines.push_back(word.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace fanfold::process
