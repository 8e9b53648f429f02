// parameters.h: the parameters of a job, declared once: name, type, where the value goes, help. The
// default is what the member holds in a default-constructed job. The engine turns them into flags,
// validates values by their declared type before anything runs, and prints them as help.
#pragma once

#include <fanfold/abi.h>

#include <charconv>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace fanfold {

// Thrown by a job's check() when its parameters contradict each other: exit 2 with this sentence.
struct UsageError {
  std::string sentence;
};

template <class Job>
class Parameters {
 public:
  Parameters() { Job::parameters(*this); }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  void text(const char* name, std::string Job::*member, const char* help) {
    declare(name, FANFOLD_PARAMETER_TEXT, help, Job{}.*member,
            [member](Job& job, std::string_view value) { job.*member = std::string(value); });
  }
  void flag(const char* name, bool Job::*member, const char* help) {
    declare(name, FANFOLD_PARAMETER_FLAG, help, Job{}.*member ? "true" : "false",
            [member](Job& job, std::string_view value) { job.*member = value == "true"; });
  }
  template <class Integer>
  void integer(const char* name, Integer Job::*member, std::int64_t minimum, std::int64_t maximum, const char* help) {
    fanfold_parameter& parameter = declare(name, FANFOLD_PARAMETER_INTEGER, help, std::to_string(Job{}.*member),
                                           [member](Job& job, std::string_view value) {
                                             std::from_chars(value.data(), value.data() + value.size(), job.*member);
                                           });
    parameter.minimum = minimum;
    parameter.maximum = maximum;
  }
  void number(const char* name, double Job::*member, const char* help) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, Job{}.*member).ptr;
    declare(name, FANFOLD_PARAMETER_NUMBER, help, std::string(buffer, end), [member](Job& job, std::string_view value) {
      std::from_chars(value.data(), value.data() + value.size(), job.*member);
    });
  }
  // `choices` are separated by '|'.
  void choice(const char* name, std::string Job::*member, const char* choices, const char* help) {
    declare(name, FANFOLD_PARAMETER_CHOICE, help, Job{}.*member, [member](Job& job, std::string_view value) {
      job.*member = std::string(value);
    }).choices = choices;
  }

  // While the parameter just declared has a value that is neither empty nor false, each source is one shard.
  void whole_sources() { declared_.back().effects |= FANFOLD_EFFECT_WHOLE_SOURCES; }

  [[nodiscard]] const std::vector<fanfold_parameter>& declared() const { return declared_; }

  // Values are of the declared type already; unknown names are the host's mistake and ignored.
  void apply(Job& job, const fanfold_argument* arguments, std::uint64_t count) const {
    for (std::uint64_t index = 0; index < count; ++index) {
      const std::string_view name(arguments[index].name.data, arguments[index].name.size);
      for (std::size_t at = 0; at < declared_.size(); ++at) {
        if (name == declared_[at].name) setters_[at](job, {arguments[index].value.data, arguments[index].value.size});
      }
    }
  }

 private:
  using Setter = std::function<void(Job&, std::string_view)>;

  fanfold_parameter& declare(const char* name, std::uint32_t type, const char* help, std::string default_value,
                             Setter setter) {
    defaults_.push_back(std::move(default_value));  // a deque: the texts stay where they are
    declared_.push_back({sizeof(fanfold_parameter), type, name, defaults_.back().c_str(), help, nullptr,
                         std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), 0, 0});
    setters_.push_back(std::move(setter));
    return declared_.back();
  }

  std::vector<fanfold_parameter> declared_;
  std::vector<Setter> setters_;
  std::deque<std::string> defaults_;
};

}  // namespace fanfold
