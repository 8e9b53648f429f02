// fold_positions.h: the memory that a gatherer shares with the root (engine/fold/fold_position.h): handed
// to the gatherer as a descriptor, read by the root when the gatherer is dead.
#pragma once

#include "engine/failure.h"
#include "engine/protocol/message.h"

namespace fanfold::root {

class FoldPositions {
 public:
  static Result<FoldPositions> make();
  FoldPositions(FoldPositions&& other) noexcept;
  FoldPositions& operator=(FoldPositions&&) = delete;
  ~FoldPositions();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  void clear();
  // Adds to the cause of a gatherer's death what it was doing inside the plugin, if anything.
  void explain(Cause& cause) const;

 private:
  FoldPositions(int descriptor, void* memory) : descriptor_(descriptor), memory_(memory) {}
  int descriptor_;
  void* memory_;
};

}  // namespace fanfold::root
