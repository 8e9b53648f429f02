// codec_fields.h: how each C++ type of a message field is written to and read from MessagePack; used by the
// codec of messages and that of frames, and included nowhere else. A struct says its fields once, in
// fields(); writing and reading walk the same list.
#pragma once

#include <msgpack/object.hpp>
#include <msgpack/pack.hpp>
#include <msgpack/type.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/protocol/message.h"
#include "engine/protocol/msgpack_reader.h"

namespace fanfold::codec {

struct Sink {
  Bytes& bytes;
  void write(const char* data, std::size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  }
};
using Packer = msgpack::packer<Sink>;

// Fields of structs that belong to others.
template <class Self, class Fields>
void fields_of(Self& self, Fields&& field) {
  using T = std::remove_const_t<Self>;
  if constexpr (std::is_same_v<T, Source>) {
    field(self.kind, self.compression, self.name, self.path, self.size, self.mtime_ns, self.begin, self.end, self.unit,
          self.shipped_at);
  } else if constexpr (std::is_same_v<T, BundleId>) {
    field(self.incarnation, self.seq);
  } else {
    T::fields(self, field);
  }
}

inline void store_big_endian(uint64_t value, char* out) {
  for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<char>(value & 0xff);
}
inline uint64_t load_big_endian(const std::byte* in) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(in[i]);
  return value;
}

// ---- writing ----------------------------------------------------------------------------------

template <class T>
requires std::is_integral_v<T>
void write(Packer& packer, T value) {
  packer.pack(value);
}
template <class T>
requires std::is_enum_v<T>
void write(Packer& packer, T value) {
  packer.pack(static_cast<uint64_t>(value));
}
inline void write(Packer& packer, const std::string& text) {
  packer.pack_str(static_cast<uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<uint32_t>(text.size()));
}
inline void write(Packer& packer, ByteView bytes) {
  packer.pack_bin(static_cast<uint32_t>(bytes.size()));
  packer.pack_bin_body(reinterpret_cast<const char*>(bytes.data()), static_cast<uint32_t>(bytes.size()));
}
inline void write(Packer& packer, const Bytes& bytes) {
  write(packer, ByteView{bytes});
}
inline void write(Packer& packer, Duration span) {
  packer.pack(span.nanoseconds);
}
template <class Tag>
void write(Packer& packer, Id64<Tag> id) {
  packer.pack(id.value);
}
template <class Tag>
void write(Packer& packer, Id128<Tag> id) {
  char bytes[16];
  store_big_endian(id.high, bytes);
  store_big_endian(id.low, bytes + 8);
  packer.pack_bin(sizeof bytes);
  packer.pack_bin_body(bytes, sizeof bytes);
}
template <class T>
void write(Packer& packer, const std::optional<T>& value);
template <class T>
void write(Packer& packer, const std::vector<T>& values);
template <class T>
requires std::is_class_v<T>
void write(Packer& packer, const T& value) {
  fields_of(value, [&packer](const auto&... field) {
    packer.pack_array(sizeof...(field));
    (write(packer, field), ...);
  });
}
template <class T>
void write(Packer& packer, const std::optional<T>& value) {
  if (value) {
    write(packer, *value);
  } else {
    packer.pack_nil();
  }
}
template <class T>
void write(Packer& packer, const std::vector<T>& values) {
  packer.pack_array(static_cast<uint32_t>(values.size()));
  for (const T& value : values) write(packer, value);
}

// ---- reading ----------------------------------------------------------------------------------

// The most elements a list may have, by what they are; bytes bound it too.
template <class T>
inline constexpr std::size_t kCountMax = 0;
template <>
inline constexpr std::size_t kCountMax<Suspect> = kSuspectsMax;
template <>
inline constexpr std::size_t kCountMax<Parameter> = kParametersMax;
template <>
inline constexpr std::size_t kCountMax<Source> = kSourcesMax;
template <>
inline constexpr std::size_t kCountMax<LeaseGrant> = kLeasesPerGrantMax;
template <>
inline constexpr std::size_t kCountMax<LeaseId> = kVerdictsPerMessageMax;
template <>
inline constexpr std::size_t kCountMax<ManifestEntry> = kLeasesPerBundleMax;
template <>
inline constexpr std::size_t kCountMax<PartExtent> = std::size_t{1} << kLog2PartsMax;
template <>
inline constexpr std::size_t kCountMax<SmallFold> = kSmallPartialsPerMessageMax;
template <>
inline constexpr std::size_t kCountMax<RunRecord> = kRunRecordsMax;
template <>
inline constexpr std::size_t kCountMax<NodeRecord> = kNodeRecordsMax;
template <>
inline constexpr std::size_t kCountMax<ProcessAccount> = kProcessAccountsMax;

// Each leaves `value` alone unless it returns true; the reader has failed otherwise.
inline bool read(MsgpackReader& reader, bool& value) {
  return reader.read_boolean(value);
}
template <class T>
requires(std::is_unsigned_v<T> && !std::is_same_v<T, bool>) bool read(MsgpackReader& reader, T& value) {
  uint64_t wide = 0;
  if (!reader.read_unsigned(wide)) return false;
  if (wide > std::numeric_limits<T>::max()) {
    reader.fail(MsgpackReader::Error::kOutOfRange);
    return false;
  }
  value = static_cast<T>(wide);
  return true;
}
template <class T>
requires(std::is_integral_v<T>&& std::is_signed_v<T>) bool read(MsgpackReader& reader, T& value) {
  int64_t wide = 0;
  if (!reader.read_signed(wide)) return false;
  if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max()) {
    reader.fail(MsgpackReader::Error::kOutOfRange);
    return false;
  }
  value = static_cast<T>(wide);
  return true;
}
template <class T>
requires std::is_enum_v<T>
bool read(MsgpackReader& reader, T& value) {
  static_assert(kLastOf<T> != T{}, "say the last value of this enumeration");
  uint64_t wide = 0;
  if (!reader.read_unsigned(wide)) return false;
  if (wide > static_cast<uint64_t>(kLastOf<T>)) {
    reader.fail(MsgpackReader::Error::kOutOfRange);
    return false;
  }
  value = static_cast<T>(wide);
  return true;
}
inline bool read(MsgpackReader& reader, std::string& value) {
  std::string_view text;
  if (!reader.read_text(text)) return false;
  if (text.size() > kTextBytesMax) {
    reader.fail(MsgpackReader::Error::kCountTooLarge);
    return false;
  }
  value = text;
  return true;
}
inline bool read(MsgpackReader& reader, Bytes& value) {
  ByteView bytes;
  if (!reader.read_binary(bytes)) return false;
  value.assign(bytes.begin(), bytes.end());
  return true;
}
inline bool read(MsgpackReader& reader, Duration& value) {
  return reader.read_signed(value.nanoseconds);
}
template <class Tag>
bool read(MsgpackReader& reader, Id64<Tag>& value) {
  return reader.read_unsigned(value.value);
}
template <class Tag>
bool read(MsgpackReader& reader, Id128<Tag>& value) {
  ByteView bytes;
  if (!reader.read_binary(bytes)) return false;
  if (bytes.size() != 16) {
    reader.fail(MsgpackReader::Error::kOutOfRange);
    return false;
  }
  value.high = load_big_endian(bytes.data());
  value.low = load_big_endian(bytes.data() + 8);
  return true;
}
template <class T>
bool read(MsgpackReader& reader, std::optional<T>& value);
template <class T>
bool read(MsgpackReader& reader, std::vector<T>& values);
template <class T>
requires std::is_class_v<T>
bool read(MsgpackReader& reader, T& value) {
  bool good = true;
  fields_of(value, [&](auto&... field) {
    uint32_t count = 0;
    good = reader.read_array(count);
    if (good && count != sizeof...(field)) {
      reader.fail(MsgpackReader::Error::kUnexpected);
      good = false;
    }
    good = good && (read(reader, field) && ...);
  });
  return good;
}
template <class T>
bool read(MsgpackReader& reader, std::optional<T>& value) {
  if (reader.peek() == MsgpackReader::Kind::kNil) {
    value.reset();
    return reader.read_nil();
  }
  T present{};
  if (!read(reader, present)) return false;
  value = std::move(present);
  return true;
}
template <class T>
bool read(MsgpackReader& reader, std::vector<T>& values) {
  static_assert(kCountMax<T> > 0, "say how many of these a list may hold");
  uint32_t count = 0;
  if (!reader.read_array(count)) return false;
  if (count > kCountMax<T>) {
    reader.fail(MsgpackReader::Error::kCountTooLarge);
    return false;
  }
  values.clear();
  // Grown as elements are found to be there, never by the count alone.
  for (uint32_t i = 0; i < count; ++i) {
    T value{};
    if (!read(reader, value)) return false;
    values.push_back(std::move(value));
  }
  return true;
}

// "ends early", "holds something unexpected", ...: why a reader failed.
[[nodiscard]] const char* describe(MsgpackReader::Error error);

}  // namespace fanfold::codec
