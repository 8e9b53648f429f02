#include "engine/protocol/codec.h"

#include "engine/assertion.h"
#include "engine/protocol/codec_fields.h"

namespace fanfold {
namespace codec {

const char* describe(MsgpackReader::Error error) {
  switch (error) {
    case MsgpackReader::Error::kNone:
      return "is well-formed";
    case MsgpackReader::Error::kTruncated:
      return "ends early";
    case MsgpackReader::Error::kUnexpected:
      return "holds something unexpected";
    case MsgpackReader::Error::kOutOfRange:
      return "holds a value out of range";
    case MsgpackReader::Error::kCountTooLarge:
      return "holds a count that is too large";
    case MsgpackReader::Error::kTooDeep:
      return "is nested too deeply";
  }
  return "is malformed";
}

namespace {

// Reads the fields into alternative I of Message if `type` is its number.
template <std::size_t I>
bool read_alternative(MsgpackReader& reader, uint64_t type, uint32_t count, Message& message, bool& known) {
  using T = std::variant_alternative_t<I, Message>;
  if (type != static_cast<uint64_t>(T::kType)) return false;
  known = true;
  T value{};
  bool good = true;
  T::fields(value, [&](auto&... field) {
    if (count != sizeof...(field) + 1) {
      reader.fail(MsgpackReader::Error::kUnexpected);
      good = false;
      return;
    }
    good = (read(reader, field) && ...);
  });
  if (good) message = std::move(value);
  return true;
}

template <std::size_t... I>
bool read_any(MsgpackReader& reader, uint64_t type, uint32_t count, Message& message, std::index_sequence<I...>) {
  bool known = false;
  (read_alternative<I>(reader, type, count, message, known) || ...);
  return known;
}

template <std::size_t... I>
constexpr bool distinct_types(std::index_sequence<I...>) {
  const MessageType types[] = {std::variant_alternative_t<I, Message>::kType...};
  for (std::size_t i = 0; i < sizeof...(I); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (types[i] == types[j]) return false;
    }
  }
  return true;
}
constexpr auto kAlternatives = std::make_index_sequence<std::variant_size_v<Message>>{};
static_assert(distinct_types(kAlternatives), "two messages have the same number");

// Whether what follows is of another version of the protocol.
bool is_foreign(MsgpackReader reader) {
  uint64_t version = 0;
  return reader.read_unsigned(version) && version != kProtocolVersion && version <= UINT32_MAX;
}

// Hello of a peer of another version: what never moves, so that it can be refused with both versions; the rest may
// be anything.
bool read_foreign(MsgpackReader& reader, uint32_t count, Hello& hello) {
  uint64_t role = 0;
  if (count < 4 || !read(reader, hello.protocol_version) || !reader.read_unsigned(role) || !read(reader, hello.name)) {
    return false;
  }
  if (role <= static_cast<uint64_t>(kLastOf<Role>)) hello.role = static_cast<Role>(role);
  for (uint32_t field = 4; field < count; ++field) {
    if (!reader.skip(kMessageDepthMax)) return false;
  }
  return true;
}
bool read_foreign(MsgpackReader& reader, uint32_t count, Refused& refused) {
  if (count < 4 || !read(reader, refused.protocol_version) || !read(reader, refused.peer_protocol_version) ||
      !read(reader, refused.sentence)) {
    return false;
  }
  for (uint32_t field = 4; field < count; ++field) {
    if (!reader.skip(kMessageDepthMax)) return false;
  }
  return true;
}

template <class T>
void read_foreign(MsgpackReader& reader, uint32_t count, Message& message) {
  T value;
  if (read_foreign(reader, count, value)) {
    message = std::move(value);
  } else if (reader.ok()) {
    reader.fail(MsgpackReader::Error::kUnexpected);
  }
}

}  // namespace
}  // namespace codec

Bytes encode(const Message& message) {
  Bytes bytes;
  codec::Sink sink{bytes};
  codec::Packer packer(sink);
  std::visit(
      [&packer](const auto& value) {
        using T = std::remove_cvref_t<decltype(value)>;
        T::fields(value, [&packer](const auto&... field) {
          packer.pack_array(sizeof...(field) + 1);
          codec::write(packer, T::kType);
          (codec::write(packer, field), ...);
        });
      },
      message);
  FANFOLD_ASSERT(bytes.size() <= kMessageBytesMax, name_of(message));
  return bytes;
}

Result<Message> decode(ByteView bytes) {
  if (bytes.size() > kMessageBytesMax) {
    return Failure{ExitCode::kInternal, "a message of " + std::to_string(bytes.size()) + " bytes is too large"};
  }
  MsgpackReader reader(bytes);
  uint32_t count = 0;
  uint64_t type = 0;
  Message message;
  if (reader.read_array(count) && count > 0 && reader.read_unsigned(type)) {
    const bool handshake = type == static_cast<uint64_t>(Hello::kType) || type == static_cast<uint64_t>(Refused::kType);
    if (handshake && codec::is_foreign(reader)) {
      type == static_cast<uint64_t>(Hello::kType) ? codec::read_foreign<Hello>(reader, count, message)
                                                  : codec::read_foreign<Refused>(reader, count, message);
    } else if (!codec::read_any(reader, type, count, message, codec::kAlternatives)) {
      return Failure{ExitCode::kInternal, "a message of unknown type " + std::to_string(type)};
    }
    if (reader.ok() && !reader.at_end()) reader.fail(MsgpackReader::Error::kUnexpected);
    if (reader.ok()) return message;
  }
  if (reader.ok()) reader.fail(MsgpackReader::Error::kUnexpected);
  return Failure{ExitCode::kInternal, "a message of type " + std::to_string(type) + " " +
                                          codec::describe(reader.error()) + " at byte " +
                                          std::to_string(reader.position())};
}

}  // namespace fanfold
