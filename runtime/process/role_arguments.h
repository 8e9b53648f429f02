// role_arguments.h: the KEY=VALUE words by which this program starts itself in another role. What they
// say is written by our own code: a word that is missing is an assertion, not a usage error.
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string>

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

}  // namespace fanfold::process
