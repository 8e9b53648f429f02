// decompressor.cpp: gzip by isa-l (three times as fast as zlib, measured on text), zstd by libzstd.
#include "runtime/worker/reading/decompressor.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "engine/assertion.h"

namespace fanfold {
namespace {

constexpr size_t kInputBytes = size_t{128} << 10;

// The file's bytes, a window at a time.
class InputWindow {
 public:
  explicit InputWindow(const InputFile& file) : file_(file), bytes_(new uint8_t[kInputBytes]) {}

  // Reads more behind what is left. False: the file has no more, or the window is full.
  Result<bool> refill() {
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(kInputBytes - end_, unread()));
    if (wanted == 0) return false;
    if (Status status = file_.read_at(position_, reinterpret_cast<char*>(bytes_.get()) + end_, wanted); !status)
      return status.failure();
    position_ += wanted;
    end_ += wanted;
    return true;
  }

  [[nodiscard]] uint8_t* data() const { return bytes_.get() + begin_; }
  [[nodiscard]] size_t size() const { return end_ - begin_; }
  void take(size_t bytes) { begin_ += bytes; }
  // Bytes of the file that are not in the window yet; the offset in the file of data().
  [[nodiscard]] uint64_t unread() const { return file_.source().size - position_; }
  [[nodiscard]] uint64_t offset() const { return position_ - size(); }

 private:
  const InputFile& file_;
  const std::unique_ptr<uint8_t[]> bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t position_ = 0;
};

Failure bad_stream(const Source& source, const std::string& what, const std::string& advice) {
  return {ExitCode::kInputOutput, "cannot decompress " + display_name(source) + ": " + what + ". " + advice};
}

Failure cut_short(const Source& source) {
  return bad_stream(source,
                    "it is cut short, its " + std::to_string(source.size) + " bytes end in the midst of the data",
                    "Fetch or compress the file again.");
}

Failure damaged(const Source& source, uint64_t offset, const std::string& what) {
  return bad_stream(source, what + " near byte " + std::to_string(offset), "Fetch or compress the file again.");
}

Failure garbage(const Source& source, uint64_t offset, const char* unit) {
  return bad_stream(source,
                    "its compressed data ends at byte " + std::to_string(offset) + ", but the file has " +
                        std::to_string(source.size) + " bytes and what follows is no further " + unit,
                    "Remove the garbage behind the data or compress the file again.");
}

// The header of a gzip member (RFC 1952), byte by byte, for it may be longer than the window and lie across
// its border: isa-l 2.30 loses its place in a header that it is given in two pieces.
class GzipHeader {
 public:
  enum class Progress { kMore, kDone, kDamaged };

  void begin() { *this = GzipHeader(); }

  // Takes bytes up to the end of the header; `taken` of them.
  Progress take(const uint8_t* bytes, size_t size, size_t& taken) {
    for (taken = 0; taken < size && field_ != Field::kDone;) {
      const uint8_t byte = bytes[taken++];
      if (field_ != Field::kChecksum) checksum_ = crc32_gzip_refl(checksum_, &byte, 1);
      if (!accept(byte)) return Progress::kDamaged;
    }
    return field_ == Field::kDone ? Progress::kDone : Progress::kMore;
  }

 private:
  // In the order in which they come.
  enum class Field { kFixed, kExtraLength, kExtra, kName, kComment, kChecksum, kDone };
  static constexpr uint8_t kHasChecksum = 2;
  static constexpr uint8_t kHasExtra = 4;
  static constexpr uint8_t kHasName = 8;
  static constexpr uint8_t kHasComment = 16;
  static constexpr uint8_t kReserved = 0xe0;
  static constexpr uint32_t kFixedBytes = 10;

  bool accept(uint8_t byte) {
    const uint32_t at = position_++;
    switch (field_) {
      case Field::kFixed:
        if (at == 0 && byte != 0x1f) return false;
        if (at == 1 && byte != 0x8b) return false;
        if (at == 2 && byte != 8) return false;  // no other method was ever defined
        if (at == 3) flags_ = byte;
        if ((flags_ & kReserved) != 0) return false;
        if (at + 1 == kFixedBytes) enter(Field::kExtraLength);
        break;
      case Field::kExtraLength:
        extra_left_ |= static_cast<uint32_t>(byte) << (8 * at);
        if (at == 1) enter(Field::kExtra);
        break;
      case Field::kExtra:
        if (--extra_left_ == 0) enter(Field::kName);
        break;
      case Field::kName:
        if (byte == 0) enter(Field::kComment);
        break;
      case Field::kComment:
        if (byte == 0) enter(Field::kChecksum);
        break;
      case Field::kChecksum:
        if (byte != ((checksum_ >> (8 * at)) & 0xff)) return false;
        if (at == 1) enter(Field::kDone);
        break;
      case Field::kDone:
        break;
    }
    return true;
  }

  // Enters a field, or the next one that is there.
  void enter(Field field) {
    if (field == Field::kExtraLength && (flags_ & kHasExtra) == 0) field = Field::kName;
    if (field == Field::kExtra && extra_left_ == 0) field = Field::kName;
    if (field == Field::kName && (flags_ & kHasName) == 0) field = Field::kComment;
    if (field == Field::kComment && (flags_ & kHasComment) == 0) field = Field::kChecksum;
    if (field == Field::kChecksum && (flags_ & kHasChecksum) == 0) field = Field::kDone;
    field_ = field;
    position_ = 0;
  }

  Field field_ = Field::kFixed;
  uint32_t position_ = 0;  // in the field; wraps in absurdly long names, where it does not matter
  uint32_t extra_left_ = 0;
  uint32_t checksum_ = 0;
  uint8_t flags_ = 0;
};

class GzipDecompressor final : public Decompressor {
 public:
  explicit GzipDecompressor(const InputFile& file)
      : source_(file.source()), window_(file), state_(std::make_unique<inflate_state>()) {}

  Result<size_t> read(char* to, size_t bytes) override {
    if (at_end_ || bytes == 0) return size_t{0};
    if (place_ == Place::kBetweenMembers) {
      if (window_.size() < 2) {
        if (Result<bool> refilled = window_.refill(); !refilled) return refilled.failure();
      }
      if (window_.size() == 0 && members_ > 0) {
        at_end_ = true;
        return size_t{0};
      }
      if (window_.size() < 2 || window_.data()[0] != 0x1f || window_.data()[1] != 0x8b) {
        if (members_ > 0) return garbage(source_, window_.offset(), "gzip member");
        return bad_stream(source_, "it is no gzip file, whatever its name says", "Rename it, or compress it.");
      }
      header_.begin();
      place_ = Place::kHeader;
    }
    if (window_.size() == 0) {
      Result<bool> refilled = window_.refill();
      if (!refilled) return refilled.failure();
      if (!*refilled && place_ == Place::kHeader) return cut_short(source_);
    }
    if (place_ == Place::kHeader) {
      size_t taken = 0;
      const GzipHeader::Progress progress = header_.take(window_.data(), window_.size(), taken);
      window_.take(taken);
      if (progress == GzipHeader::Progress::kDamaged)
        return damaged(source_, window_.offset(), "its gzip header is damaged");
      if (progress == GzipHeader::Progress::kDone) {
        if (members_ == 0)
          isal_inflate_init(state_.get());
        else
          isal_inflate_reset(state_.get());
        state_->crc_flag = ISAL_GZIP_NO_HDR_VER;  // the trailer is checked; a reset forgets it
        place_ = Place::kData;
      }
      return size_t{0};
    }
    const auto offered = static_cast<uint32_t>(window_.size());
    const auto room = static_cast<uint32_t>(std::min<size_t>(bytes, kOutputBytesMost));
    state_->next_in = window_.data();
    state_->avail_in = offered;
    state_->next_out = reinterpret_cast<uint8_t*>(to);
    state_->avail_out = room;
    const int code = isal_inflate(state_.get());
    const uint32_t taken = offered - state_->avail_in;
    const uint32_t made = room - state_->avail_out;
    window_.take(taken);
    if (code == ISAL_INCORRECT_CHECKSUM)
      return damaged(source_, window_.offset(), "its checksum does not fit its contents");
    if (code < 0 || code == ISAL_NEED_DICT) return damaged(source_, window_.offset(), "its compressed data is damaged");
    if (state_->block_state == ISAL_BLOCK_FINISH) {
      place_ = Place::kBetweenMembers;
      ++members_;
    } else if (taken == 0 && made == 0 && window_.size() == 0 && window_.unread() == 0) {
      return cut_short(source_);
    }
    return size_t{made};
  }

  [[nodiscard]] uint64_t stored_bytes() const override { return window_.offset(); }

 private:
  static constexpr size_t kOutputBytesMost = size_t{1} << 30;  // isa-l counts in 32 bits

  const Source& source_;
  InputWindow window_;
  const std::unique_ptr<inflate_state> state_;
  enum class Place { kBetweenMembers, kHeader, kData };
  GzipHeader header_;
  Place place_ = Place::kBetweenMembers;
  uint64_t members_ = 0;
};

class ZstdDecompressor final : public Decompressor {
 public:
  explicit ZstdDecompressor(const InputFile& file)
      : source_(file.source()), window_(file), context_(ZSTD_createDCtx(), &ZSTD_freeDCtx) {
    FANFOLD_ASSERT(context_ != nullptr, "out of memory");
    const size_t code = ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLog2Max);
    FANFOLD_ASSERT(ZSTD_isError(code) == 0, ZSTD_getErrorName(code));
  }

  Result<size_t> read(char* to, size_t bytes) override {
    if (at_end_ || bytes == 0) return size_t{0};
    if (window_.size() < kMagicBytes && window_.unread() > 0) {
      if (Result<bool> refilled = window_.refill(); !refilled) return refilled.failure();
    }
    if (between_frames_) {
      if (window_.size() == 0 && frames_ > 0) {
        at_end_ = true;
        return size_t{0};
      }
      // Fewer bytes than any frame begins with: libzstd would wait for more of them.
      if (window_.size() < kMagicBytes)
        return frames_ > 0 ? garbage(source_, window_.offset(), "zstd frame") : no_zstd();
    }
    ZSTD_inBuffer in = {window_.data(), window_.size(), 0};
    ZSTD_outBuffer out = {to, bytes, 0};
    const size_t code = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(code) != 0) return explain(code);
    window_.take(in.pos);
    between_frames_ = code == 0;
    if (code == 0) {
      ++frames_;
    } else if (in.pos == 0 && out.pos == 0 && window_.unread() == 0) {
      return cut_short(source_);
    }
    return out.pos;
  }

  [[nodiscard]] uint64_t stored_bytes() const override { return window_.offset(); }

 private:
  static constexpr size_t kMagicBytes = 4;

  [[nodiscard]] Failure no_zstd() const {
    return bad_stream(source_, "it is no zstd file, whatever its name says", "Rename it, or compress it.");
  }

  [[nodiscard]] Failure explain(size_t code) const {
    switch (ZSTD_getErrorCode(code)) {
      case ZSTD_error_prefix_unknown:
        return frames_ > 0 ? garbage(source_, window_.offset(), "zstd frame") : no_zstd();
      case ZSTD_error_frameParameter_windowTooLarge:
        return bad_stream(source_,
                          "it was made with a window of more than " +
                              std::to_string((uint64_t{1} << kZstdWindowLog2Max) >> 20) + " MiB",
                          "Compress it again without --long or with --long=27 at most.");
      case ZSTD_error_checksum_wrong:
        return damaged(source_, window_.offset(), "its checksum does not fit its contents");
      default:
        return damaged(source_, window_.offset(), "its compressed data is damaged");
    }
  }

  const Source& source_;
  InputWindow window_;
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
  bool between_frames_ = true;
  uint64_t frames_ = 0;
};

}  // namespace

std::unique_ptr<Decompressor> make_decompressor(const InputFile& file) {
  switch (file.source().compression) {
    case Compression::kGzip:
      return std::make_unique<GzipDecompressor>(file);
    case Compression::kZstd:
      return std::make_unique<ZstdDecompressor>(file);
    case Compression::kNone:
      break;
  }
  FANFOLD_ASSERT(false, file.source().name);
  return nullptr;
}

}  // namespace fanfold
