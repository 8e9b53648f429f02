#include "engine/protocol/codec_fields.h"
#include "engine/session/session.h"

namespace fanfold {
namespace {

constexpr uint32_t kFrameFields = 8;
constexpr uint64_t kFlagGap = 1;
constexpr uint64_t kFlagMore = 2;
constexpr uint64_t kFlags = kFlagGap | kFlagMore;

}  // namespace

Bytes encode_frame(const FrameHead& head) {
  std::size_t size = 96;
  for (const ByteView& message : head.messages) size += message.size() + 5;
  Bytes bytes;
  bytes.reserve(size);
  codec::Sink sink{bytes};
  codec::Packer packer(sink);
  packer.pack_array(kFrameFields);
  codec::write(packer, head.epoch);
  codec::write(packer, head.incarnation);
  codec::write(packer, head.first_seq);
  codec::write(packer, head.ack);
  codec::write(packer, head.beat);
  codec::write(packer, head.echo);
  codec::write(packer, (head.gap ? kFlagGap : uint64_t{0}) | (head.more ? kFlagMore : uint64_t{0}));
  packer.pack_array(static_cast<uint32_t>(head.messages.size()));
  for (const ByteView& message : head.messages) codec::write(packer, message);
  return bytes;
}

Result<FrameHead> decode_frame(ByteView payload) {
  MsgpackReader reader(payload);
  FrameHead head;
  uint32_t fields = 0;
  uint64_t flags = 0;
  uint32_t count = 0;
  if (reader.read_array(fields) && fields != kFrameFields) reader.fail(MsgpackReader::Error::kUnexpected);
  // Each is read only while all before it were good.
  if (codec::read(reader, head.epoch) && codec::read(reader, head.incarnation) && codec::read(reader, head.first_seq) &&
      codec::read(reader, head.ack) && codec::read(reader, head.beat) && codec::read(reader, head.echo) &&
      codec::read(reader, flags) && reader.read_array(count)) {
    if (count > kMessagesPerFrameMax) reader.fail(MsgpackReader::Error::kCountTooLarge);
    if (flags > kFlags || head.incarnation.empty()) reader.fail(MsgpackReader::Error::kOutOfRange);
    for (uint32_t i = 0; reader.ok() && i < count; ++i) {
      ByteView message;
      if (reader.read_binary(message)) head.messages.push_back(message);
    }
    head.gap = (flags & kFlagGap) != 0;
    head.more = (flags & kFlagMore) != 0;
  }
  if (reader.ok() && !reader.at_end()) reader.fail(MsgpackReader::Error::kUnexpected);
  if (reader.ok()) return head;
  return Failure{ExitCode::kInternal, std::string("a frame ") + codec::describe(reader.error()) + " at byte " +
                                          std::to_string(reader.position())};
}

}  // namespace fanfold
