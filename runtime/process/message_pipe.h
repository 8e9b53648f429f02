// message_pipe.h: messages (protocol/codec.h) from one process to another over a pipe, each with a raw part:
// two lengths of 8 bytes, then the bytes. For a child that answers its parent and nobody else.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/failure.h"
#include "engine/protocol/codec.h"

namespace fanfold::process {

struct PipedMessage {
  Message message;
  Bytes raw;
};

// False when the other end is gone.
bool write_message(int descriptor, const Message& message, ByteView raw = {});

// Takes bytes as they come and gives whole messages.
class MessageReader {
 public:
  // Reads what is there, waiting for at least a byte. False at the end.
  bool fill(int descriptor);
  // The next whole message, if there is one. A failure: these are no messages.
  Result<std::optional<PipedMessage>> next();

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

}  // namespace fanfold::process
