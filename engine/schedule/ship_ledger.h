// ship_ledger.h: how far the bytes that a run's client ships have come: what has arrived, what of it is kept, how far
// the client may send. They come in order, at most a window ahead of what is kept, so that what waits for the disk is
// bounded. Pure. Not thread-safe.
//
//   0 <= kept <= arrived <= allowed <= all, and allowed <= kept + window
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace fanfold::schedule {

class ShipLedger {
 public:
  // `bytes` are shipped in all, at most `window` of them on their way at once.
  ShipLedger(uint64_t bytes, uint64_t window) : bytes_(bytes), window_(window) {}

  enum class Arrival {
    kNext,    // to be kept
    kLate,    // of a client before this one, or of a session before this: known already, or never to be known
    kBeyond,  // its client was not allowed to send it
  };
  [[nodiscard]] Arrival arrive(uint64_t offset, uint64_t bytes) {
    if (offset != arrived_) return Arrival::kLate;
    if (bytes == 0 || bytes > allowed_ - arrived_) return Arrival::kBeyond;
    arrived_ += bytes;
    return Arrival::kNext;
  }
  // The first `bytes` are kept already, whoever sent them; before anything has arrived.
  void skip(uint64_t bytes) { arrived_ = kept_ = std::min(bytes, bytes_); }
  void keep(uint64_t bytes) { kept_ = std::max(kept_, std::min(bytes, arrived_)); }

  // A client begins, or begins again after its link was lost: it is to be told where.
  void begin() { told_ = false; }
  // What is to be told the client now; nothing while a word would not be worth it.
  struct Credit {
    uint64_t received = 0;
    uint64_t allowed = 0;
  };
  [[nodiscard]] std::optional<Credit> raise() {
    if (whole() || arrived_ == bytes_) return std::nullopt;
    const uint64_t allowed = std::max(allowed_, std::min(bytes_, kept_ + window_));
    if (told_ && (allowed == allowed_ || (allowed < bytes_ && allowed - allowed_ < window_ / 4))) return std::nullopt;
    told_ = true;
    allowed_ = allowed;
    return Credit{arrived_, allowed_};
  }

  [[nodiscard]] bool whole() const { return kept_ == bytes_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] uint64_t kept() const { return kept_; }

 private:
  uint64_t bytes_;
  uint64_t window_;
  uint64_t arrived_ = 0;
  uint64_t kept_ = 0;
  uint64_t allowed_ = 0;
  bool told_ = false;
};

}  // namespace fanfold::schedule
