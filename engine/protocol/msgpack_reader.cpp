#include "engine/protocol/msgpack_reader.h"

#include <bit>
#include <limits>

namespace fanfold {
namespace {

// First bytes, as the specification names them.
constexpr uint8_t kNil = 0xc0;
constexpr uint8_t kFalse = 0xc2;
constexpr uint8_t kTrue = 0xc3;
constexpr uint8_t kBin8 = 0xc4;
constexpr uint8_t kBin32 = 0xc6;
constexpr uint8_t kExt8 = 0xc7;
constexpr uint8_t kExt32 = 0xc9;
constexpr uint8_t kFloat32 = 0xca;
constexpr uint8_t kFloat64 = 0xcb;
constexpr uint8_t kUint8 = 0xcc;
constexpr uint8_t kUint64 = 0xcf;
constexpr uint8_t kInt8 = 0xd0;
constexpr uint8_t kInt64 = 0xd3;
constexpr uint8_t kFixExt1 = 0xd4;
constexpr uint8_t kFixExt16 = 0xd8;
constexpr uint8_t kStr8 = 0xd9;
constexpr uint8_t kStr32 = 0xdb;
constexpr uint8_t kArray16 = 0xdc;
constexpr uint8_t kArray32 = 0xdd;
constexpr uint8_t kMap16 = 0xde;
constexpr uint8_t kMap32 = 0xdf;

constexpr bool is_fix_map(uint8_t head) {
  return (head & 0xf0) == 0x80;
}
constexpr bool is_fix_array(uint8_t head) {
  return (head & 0xf0) == 0x90;
}
constexpr bool is_fix_str(uint8_t head) {
  return (head & 0xe0) == 0xa0;
}
constexpr bool between(uint8_t head, uint8_t first, uint8_t last) {
  return head >= first && head <= last;
}
// Families of 1, 2, 4, 8 bytes stand in that order.
constexpr int width(uint8_t head, uint8_t first) {
  return 1 << (head - first);
}

}  // namespace

MsgpackReader::Kind MsgpackReader::peek() const {
  if (!ok()) return Kind::kInvalid;
  if (at_end()) return Kind::kEnd;
  const auto head = static_cast<uint8_t>(bytes_[position_]);
  if (head < 0x80 || head >= 0xe0 || between(head, kUint8, kInt64)) return Kind::kInteger;
  if (is_fix_str(head) || between(head, kStr8, kStr32)) return Kind::kText;
  if (is_fix_array(head) || head == kArray16 || head == kArray32) return Kind::kArray;
  if (is_fix_map(head) || head == kMap16 || head == kMap32) return Kind::kMap;
  if (head == kNil) return Kind::kNil;
  if (head == kFalse || head == kTrue) return Kind::kBoolean;
  if (between(head, kBin8, kBin32)) return Kind::kBinary;
  if (head == kFloat32 || head == kFloat64) return Kind::kFloat;
  if (between(head, kExt8, kExt32) || between(head, kFixExt1, kFixExt16)) return Kind::kExtension;
  return Kind::kInvalid;  // 0xc1 is never used
}

void MsgpackReader::fail(Error error) {
  if (ok()) error_ = error;
}

bool MsgpackReader::unexpected() {
  fail(at_end() ? Error::kTruncated : Error::kUnexpected);
  return false;
}

bool MsgpackReader::take_byte(uint8_t& value) {
  if (!ok()) return false;
  if (at_end()) {
    fail(Error::kTruncated);
    return false;
  }
  value = static_cast<uint8_t>(bytes_[position_++]);
  return true;
}

bool MsgpackReader::take_big_endian(int size, uint64_t& value) {
  if (!ok()) return false;
  if (remaining() < static_cast<std::size_t>(size)) {
    fail(Error::kTruncated);
    return false;
  }
  value = 0;
  for (int i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes_[position_++]);
  return true;
}

bool MsgpackReader::take_bytes(uint64_t size, std::span<const std::byte>& value) {
  if (!ok()) return false;
  if (size > remaining()) {
    fail(Error::kTruncated);
    return false;
  }
  value = bytes_.subspan(position_, static_cast<std::size_t>(size));
  position_ += static_cast<std::size_t>(size);
  return true;
}

bool MsgpackReader::read_nil() {
  if (peek() != Kind::kNil) return unexpected();
  ++position_;
  return true;
}

bool MsgpackReader::read_boolean(bool& value) {
  if (peek() != Kind::kBoolean) return unexpected();
  value = static_cast<uint8_t>(bytes_[position_++]) == kTrue;
  return true;
}

bool MsgpackReader::read_unsigned(uint64_t& value) {
  if (peek() != Kind::kInteger) return unexpected();
  uint8_t head = 0;
  if (!take_byte(head)) return false;
  if (head < 0x80) {
    value = head;
    return true;
  }
  if (between(head, kUint8, kUint64)) return take_big_endian(width(head, kUint8), value);
  if (head >= 0xe0) {
    fail(Error::kOutOfRange);
    return false;
  }
  const int size = width(head, kInt8);
  if (!take_big_endian(size, value)) return false;
  if ((value >> (8 * size - 1)) != 0) fail(Error::kOutOfRange);
  return ok();
}

bool MsgpackReader::read_signed(int64_t& value) {
  if (peek() != Kind::kInteger) return unexpected();
  uint8_t head = 0;
  if (!take_byte(head)) return false;
  if (head < 0x80 || head >= 0xe0) {
    value = static_cast<int8_t>(head);
    return true;
  }
  uint64_t bits = 0;
  if (between(head, kUint8, kUint64)) {
    if (!take_big_endian(width(head, kUint8), bits)) return false;
    if (bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      fail(Error::kOutOfRange);
      return false;
    }
    value = static_cast<int64_t>(bits);
    return true;
  }
  const int size = width(head, kInt8);
  if (!take_big_endian(size, bits)) return false;
  const int unused = 64 - 8 * size;
  value = static_cast<int64_t>(bits << unused) >> unused;
  return true;
}

bool MsgpackReader::read_double(double& value) {
  if (peek() != Kind::kFloat) return unexpected();
  uint8_t head = 0;
  uint64_t bits = 0;
  if (!take_byte(head) || !take_big_endian(head == kFloat32 ? 4 : 8, bits)) return false;
  value = head == kFloat32 ? static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))
                           : std::bit_cast<double>(bits);
  return true;
}

bool MsgpackReader::read_text(std::string_view& value) {
  if (peek() != Kind::kText) return unexpected();
  uint8_t head = 0;
  if (!take_byte(head)) return false;
  uint64_t size = head & 0x1f;
  if (!is_fix_str(head) && !take_big_endian(width(head, kStr8), size)) return false;
  std::span<const std::byte> bytes;
  if (!take_bytes(size, bytes)) return false;
  value = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return true;
}

bool MsgpackReader::read_binary(std::span<const std::byte>& value) {
  if (peek() != Kind::kBinary) return unexpected();
  uint8_t head = 0;
  uint64_t size = 0;
  return take_byte(head) && take_big_endian(width(head, kBin8), size) && take_bytes(size, value);
}

bool MsgpackReader::read_extension(int8_t& type, std::span<const std::byte>& value) {
  if (peek() != Kind::kExtension) return unexpected();
  uint8_t head = 0;
  if (!take_byte(head)) return false;
  uint64_t size = 0;
  if (between(head, kFixExt1, kFixExt16)) {
    size = static_cast<uint64_t>(width(head, kFixExt1));
  } else if (!take_big_endian(width(head, kExt8), size)) {
    return false;
  }
  uint8_t raw_type = 0;
  if (!take_byte(raw_type)) return false;
  type = static_cast<int8_t>(raw_type);
  return take_bytes(size, value);
}

bool MsgpackReader::read_array(uint32_t& count) {
  if (peek() != Kind::kArray) return unexpected();
  uint8_t head = 0;
  if (!take_byte(head)) return false;
  uint64_t wide = head & 0x0f;
  if (!is_fix_array(head) && !take_big_endian(2 * width(head, kArray16), wide)) return false;
  if (wide > remaining()) {
    fail(Error::kCountTooLarge);
    return false;
  }
  count = static_cast<uint32_t>(wide);
  return true;
}

bool MsgpackReader::read_map(uint32_t& count) {
  if (peek() != Kind::kMap) return unexpected();
  uint8_t head = 0;
  if (!take_byte(head)) return false;
  uint64_t wide = head & 0x0f;
  if (!is_fix_map(head) && !take_big_endian(2 * width(head, kMap16), wide)) return false;
  if (wide * 2 > remaining()) {
    fail(Error::kCountTooLarge);
    return false;
  }
  count = static_cast<uint32_t>(wide);
  return true;
}

bool MsgpackReader::skip(int depth_max) {
  if (depth_max < 0) {
    fail(Error::kTooDeep);
    return false;
  }
  bool boolean = false;
  int8_t type = 0;
  uint64_t bits = 0;
  uint32_t count = 0;
  double real = 0;
  std::string_view text;
  std::span<const std::byte> binary;
  switch (peek()) {
    case Kind::kNil:
      return read_nil();
    case Kind::kBoolean:
      return read_boolean(boolean);
    case Kind::kInteger: {
      uint8_t head = 0;
      if (!take_byte(head)) return false;
      if (head < 0x80 || head >= 0xe0) return true;
      return take_big_endian(width(head, head < kInt8 ? kUint8 : kInt8), bits);
    }
    case Kind::kFloat:
      return read_double(real);
    case Kind::kText:
      return read_text(text);
    case Kind::kBinary:
      return read_binary(binary);
    case Kind::kExtension:
      return read_extension(type, binary);
    case Kind::kArray:
    case Kind::kMap: {
      const bool map = peek() == Kind::kMap;
      if (!(map ? read_map(count) : read_array(count))) return false;
      // Every element is at least a byte of what is left, so this ends within the bytes there are.
      for (uint64_t left = map ? uint64_t{2} * count : count; left > 0; --left) {
        if (!skip(depth_max - 1)) return false;
      }
      return true;
    }
    case Kind::kEnd:
    case Kind::kInvalid:
      break;
  }
  return unexpected();
}

}  // namespace fanfold
