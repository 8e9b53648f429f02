// msgpack_reader.h: a pull reader of MessagePack primitives over bytes in memory, driven by whoever knows
// what should come. The first mismatch makes it fail for good. Refuses truncation, counts larger than the
// bytes that are left, nesting beyond a depth, and more elements in all than its bytes; allocates nothing.
// MessagePack: https://github.com/msgpack/msgpack/blob/master/spec.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fanfold {

class MsgpackReader {
 public:
  enum class Kind : uint8_t {
    kEnd,
    kNil,
    kBoolean,
    kInteger,
    kFloat,
    kText,
    kBinary,
    kArray,
    kMap,
    kExtension,
    kInvalid
  };
  enum class Error : uint8_t { kNone, kTruncated, kUnexpected, kOutOfRange, kCountTooLarge, kTooDeep };

  explicit MsgpackReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // What comes next, by its first byte alone.
  [[nodiscard]] Kind peek() const;
  [[nodiscard]] bool ok() const { return error_ == Error::kNone; }
  [[nodiscard]] Error error() const { return error_; }
  [[nodiscard]] bool at_end() const { return position_ == bytes_.size(); }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - position_; }
  // For callers that find a well-formed value out of range.
  void fail(Error error);

  // Each reads one value of its kind, in any of its forms, or fails and returns false.
  bool read_nil();
  bool read_boolean(bool& value);
  bool read_unsigned(uint64_t& value);  // any integer form that is not negative
  bool read_signed(int64_t& value);     // any integer form that fits
  bool read_double(double& value);      // float 32 and 64
  // Views into the bytes.
  bool read_text(std::string_view& value);
  bool read_binary(std::span<const std::byte>& value);
  bool read_extension(int8_t& type, std::span<const std::byte>& value);
  // The elements follow; a map's count is of pairs. Each element takes at least a byte, so a count is
  // never larger than what is left.
  bool read_array(uint32_t& count);
  bool read_map(uint32_t& count);
  // Any value, with what is nested in it, down to `depth_max` levels.
  bool skip(int depth_max);

 private:
  bool take_byte(uint8_t& value);
  bool take_big_endian(int size, uint64_t& value);
  bool take_bytes(uint64_t size, std::span<const std::byte>& value);
  bool unexpected();

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  Error error_ = Error::kNone;
};

}  // namespace fanfold
