// codec.h: messages to and from MessagePack arrays: [type, field...], every nested struct an array, every
// identity of 128 bits a bin of 16. Reading trusts nothing: truncated, oversized, unknown, out of range or
// trailing bytes are a Failure, and memory grows no faster than the bytes that are there.
#pragma once

#include "engine/protocol/message.h"

namespace fanfold {

[[nodiscard]] Bytes encode(const Message& message);
[[nodiscard]] Result<Message> decode(ByteView bytes);

}  // namespace fanfold
