#include "runtime/root/fold_positions.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "engine/fold/fold_position.h"

namespace fanfold::root {

namespace {
constexpr std::size_t kBytes = sizeof(FoldPosition) * kFoldThreadsMax;
}

Result<FoldPositions> FoldPositions::make() {
  const int descriptor = memfd_create("fanfold-fold-positions", MFD_CLOEXEC);
  void* memory = MAP_FAILED;
  if (descriptor >= 0 && ftruncate(descriptor, kBytes) == 0) {
    memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  if (memory == MAP_FAILED) {
    const std::string why = std::strerror(errno);
    if (descriptor >= 0) close(descriptor);
    return Failure{ExitCode::kInternal, "cannot share memory with the gatherer: " + why +
                                            "; close other programs, or raise the limits of this user (ulimit -a)"};
  }
  return FoldPositions(descriptor, memory);
}

FoldPositions::FoldPositions(FoldPositions&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), memory_(std::exchange(other.memory_, nullptr)) {}

FoldPositions::~FoldPositions() {
  if (memory_ != nullptr) munmap(memory_, kBytes);
  if (descriptor_ >= 0) close(descriptor_);
}

void FoldPositions::clear() {
  std::memset(memory_, 0, kBytes);
}

void FoldPositions::explain(Cause& cause) const {
  const auto* positions = static_cast<const FoldPosition*>(memory_);
  for (unsigned thread = 0; thread < kFoldThreadsMax; ++thread) {
    const FoldPosition& at = positions[thread];
    const auto phase = static_cast<Phase>(at.phase.load());
    if (phase == Phase::kNone || phase > kLastOf<Phase>) continue;
    cause.phase = phase;
    if (phase == Phase::kLoad || phase == Phase::kOpen) return;
    cause.part = at.part.load();
    if (at.bundle_seq.load() != 0) {
      cause.bundle = BundleId{{at.worker_high.load(), at.worker_low.load()}, {at.bundle_seq.load()}};
    }
    return;
  }
}

}  // namespace fanfold::root
