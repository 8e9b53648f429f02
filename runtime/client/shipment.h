// shipment.h: the plugin of a run, or its files, or both, on their way to its root: one after the other in blocks, as
// far as the root allows, each checked against the size and time of the plan when it is opened and when it has been
// read. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/protocol/message.h"
#include "runtime/client/root_client.h"
#include "runtime/worker/reading/input_file.h"

namespace fanfold {

class Shipment {
 public:
  // `sources`, where this client has them, outlive the shipment; null: they are not shipped. `plugin` goes first.
  Shipment(RunId run, std::optional<Source> plugin, const std::vector<Source>* sources, bool allow_growth);

  // The link was lost and the run submitted again: the root's next word says where to go on.
  void begin_again() { begun_ = false; }
  void allow(const ShipCredit& credit);
  // The root needs nothing any more.
  void end() { whole_ = true; }

  // Sends what the root allows, a few blocks a call. Whether more may be sent at once. Exit 3 when a file cannot be
  // read, or is not as planned.
  Result<bool> send(RootClient& root);

  // The root has all of it.
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t sent() const { return position_; }

 private:
  // What is shipped, in order, as files.
  [[nodiscard]] std::size_t pieces() const;
  [[nodiscard]] const Source& piece(std::size_t index) const;
  void seek(std::uint64_t position);
  Status fill(Bytes& block);

  RunId run_;
  std::optional<Source> plugin_;
  const std::vector<Source>* sources_;
  bool allow_growth_;
  std::uint64_t bytes_ = 0;  // of all
  bool whole_ = false;
  bool begun_ = false;
  std::uint64_t allowed_ = 0;
  std::uint64_t position_ = 0;  // of the next byte among all
  std::size_t piece_ = 0;       // in which it lies,
  std::uint64_t offset_ = 0;    // there
  std::optional<InputFile> file_;
};

}  // namespace fanfold
