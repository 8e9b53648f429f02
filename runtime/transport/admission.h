// admission.h: who may speak to a listener: the public keys of a folder (key_file.h) whose role it lets in. The
// gatekeeper reads it again about once a second: a key that is taken away is refused from then on, its live links
// included. Where the folder cannot be read, nobody new is let in until it can be; who was in stays.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/transport/key_file.h"

namespace fanfold::transport {

using Peer = std::shared_ptr<const PublicKey>;

class Admission {
 public:
  // Exit 3 where the folder cannot be read now.
  static Result<std::shared_ptr<Admission>> from_folder(std::string folder, std::vector<KeyRole> roles);

  // Reads the folder again.
  void refresh();
  // Whether a new link of this key may be made; counts the refusals.
  [[nodiscard]] bool admits(std::string_view key);
  // Who a key is, or null when it is not admitted (any more).
  [[nodiscard]] Peer find(std::string_view key) const;

  [[nodiscard]] std::uint64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }
  // What is wrong with the folder, a sentence each time it changes; empty otherwise.
  [[nodiscard]] std::vector<std::string> take_complaints();

 private:
  Admission(std::string folder, std::vector<KeyRole> roles) : folder_(std::move(folder)), roles_(std::move(roles)) {}
  Status read();

  const std::string folder_;
  const std::vector<KeyRole> roles_;
  std::atomic<std::uint64_t> refusals_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Peer, std::less<>> peers_;
  std::vector<std::string> known_complaints_;
  std::vector<std::string> new_complaints_;
  bool readable_ = false;
};

}  // namespace fanfold::transport
