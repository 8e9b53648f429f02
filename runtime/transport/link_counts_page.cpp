#include "runtime/transport/link_counts_page.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "engine/assertion.h"

namespace fanfold::transport {

Result<LinkCountsPage> LinkCountsPage::make() {
  const int descriptor = memfd_create("fanfold-link-counts", MFD_CLOEXEC);
  void* memory = MAP_FAILED;
  // Fresh memory is zero, and so are the counts.
  if (descriptor >= 0 && ftruncate(descriptor, sizeof(Memory)) == 0) {
    memory = mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  if (memory == MAP_FAILED) {
    const std::string why = std::strerror(errno);
    if (descriptor >= 0) close(descriptor);
    return Failure{ExitCode::kInternal, "cannot share memory with a child process: " + why +
                                            "; close other programs, or raise the limits of this user (ulimit -a)"};
  }
  return LinkCountsPage(descriptor, static_cast<Memory*>(memory));
}

LinkCountsPage LinkCountsPage::attach(int descriptor) {
  void* memory = mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  FANFOLD_ASSERT(memory != MAP_FAILED, "the page of link counts cannot be mapped");
  return {descriptor, static_cast<Memory*>(memory)};
}

LinkCountsPage::LinkCountsPage(LinkCountsPage&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), memory_(std::exchange(other.memory_, nullptr)) {}

LinkCountsPage::~LinkCountsPage() {
  if (memory_ != nullptr) munmap(memory_, sizeof(Memory));
  if (descriptor_ >= 0) close(descriptor_);
}

void LinkCountsPage::write(const LinkCounts& counts) {
  for (std::size_t at = 0; at < kLinkEvents; ++at) memory_->of[at].store(counts.of[at], std::memory_order_relaxed);
}

LinkCounts LinkCountsPage::read() const {
  LinkCounts counts;
  for (std::size_t at = 0; at < kLinkEvents; ++at) counts.of[at] = memory_->of[at].load(std::memory_order_relaxed);
  return counts;
}

}  // namespace fanfold::transport
