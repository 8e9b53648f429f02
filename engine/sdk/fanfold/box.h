// box.h: Box<T>, a T on the heap that may be absent, copied deeply. Eight bytes.
// Folds keep their rare, wide states in one, so that the common state stays small and may be moved
// by memcpy.
#pragma once

#include <memory>
#include <utility>

namespace fanfold {

template <class T>
class Box {
 public:
  Box() = default;
  Box(const Box& other) : pointer_(other ? std::make_unique<T>(*other) : nullptr) {}
  Box(Box&&) noexcept = default;
  Box& operator=(const Box& other) {
    if (this != &other) pointer_ = other ? std::make_unique<T>(*other) : nullptr;
    return *this;
  }
  Box& operator=(Box&&) noexcept = default;
  ~Box() = default;

  template <class... Arguments>
  T& emplace(Arguments&&... arguments) {
    pointer_ = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    return *pointer_;
  }
  // The T, made first when absent.
  T& ensure() { return pointer_ ? *pointer_ : emplace(); }
  void reset() noexcept { pointer_.reset(); }

  explicit operator bool() const noexcept { return pointer_ != nullptr; }
  T& operator*() noexcept { return *pointer_; }
  const T& operator*() const noexcept { return *pointer_; }
  T* operator->() noexcept { return pointer_.get(); }
  const T* operator->() const noexcept { return pointer_.get(); }

 private:
  std::unique_ptr<T> pointer_;
};

}  // namespace fanfold
