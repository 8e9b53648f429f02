// overloaded.h: one callable out of several lambdas, to visit a std::variant with a case an alternative.
#pragma once

namespace fanfold {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace fanfold
