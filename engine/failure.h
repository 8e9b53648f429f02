// failure.h: what may happen, as a value: an exit code and one sentence; and Result<T>, which holds
// a T or a Failure. What must not happen is an assertion (engine/assertion.h) instead.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace fanfold {

// Exit codes of the program, and the kinds of failure everywhere else.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,        // unknown job or parameter, plugin that cannot be loaded
  kInputOutput = 3,  // missing, cut, changed, disk full, address in use
  kJobFailed = 4,    // crash, exception, bad record, overflow, budget
  kNoFleet = 5,      // no root, no workers, refused by key or version
  kPartial = 6,      // done with coverage below 100 %
  kInterrupted = 130,
  kTerminated = 143,
};

// A sentence says what happened, to which input, and what to do next.
struct Failure {
  ExitCode code = ExitCode::kInternal;
  std::string sentence;
  bool operator==(const Failure&) const = default;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}
  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

// The Result of a call that returns nothing but may fail.
using Status = Result<std::monostate>;
inline Status success() {
  return std::monostate{};
}

}  // namespace fanfold
