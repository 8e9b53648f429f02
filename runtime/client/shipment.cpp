#include "runtime/client/shipment.h"

#include <algorithm>
#include <utility>

namespace fanfold {
namespace {

// Between two looks at signals and at what the root says.
constexpr int kBlocksPerTurn = 4;

std::uint64_t bytes_of(const Source& source) {
  return source.kind == SourceKind::kRange ? 0 : source.size;
}

}  // namespace

Shipment::Shipment(RunId run, std::optional<Source> plugin, const std::vector<Source>* sources, bool allow_growth)
    : run_(run), plugin_(std::move(plugin)), sources_(sources), allow_growth_(allow_growth) {
  for (std::size_t index = 0; index < pieces(); ++index) bytes_ += bytes_of(piece(index));
  whole_ = bytes_ == 0;
}

std::size_t Shipment::pieces() const {
  return (plugin_ ? 1 : 0) + (sources_ != nullptr ? sources_->size() : 0);
}

const Source& Shipment::piece(std::size_t index) const {
  if (plugin_ && index == 0) return *plugin_;
  return (*sources_)[index - (plugin_ ? 1 : 0)];
}

void Shipment::allow(const ShipCredit& credit) {
  if (!std::exchange(begun_, true)) seek(std::min(credit.received, bytes_));
  allowed_ = std::min(credit.allowed, bytes_);
  if (credit.received >= bytes_) whole_ = true;
}

void Shipment::seek(std::uint64_t position) {
  file_.reset();
  position_ = position;
  piece_ = 0;
  offset_ = position;
  while (piece_ < pieces() && offset_ >= bytes_of(piece(piece_))) {
    offset_ -= bytes_of(piece(piece_));
    piece_ += 1;
  }
}

Result<bool> Shipment::send(RootClient& root) {
  for (int sent = 0; sent < kBlocksPerTurn; ++sent) {
    if (whole_ || !begun_ || position_ >= allowed_) return false;
    Bytes block(static_cast<std::size_t>(std::min<std::uint64_t>(allowed_ - position_, kShippedBlockBytesMax)));
    if (Status filled = fill(block); !filled) return filled.failure();
    const std::uint64_t offset = position_;
    position_ += block.size();
    root.send(ShipBytes{run_, offset}, raw_bytes(std::move(block)));
  }
  return !whole_ && position_ < allowed_;
}

// A block may hold many small files.
Status Shipment::fill(Bytes& block) {
  for (std::size_t at = 0; at < block.size();) {
    const Source& source = piece(piece_);
    if (!file_ && bytes_of(source) > 0) {
      Result<InputFile> file = InputFile::open(source, {}, allow_growth_);
      if (!file) return file.failure();
      file_.emplace(std::move(file).value());
    }
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(block.size() - at, bytes_of(source) - offset_));
    if (bytes > 0) {
      if (Status read = file_->read_at(offset_, reinterpret_cast<char*>(block.data()) + at, bytes); !read) return read;
    }
    at += bytes;
    offset_ += bytes;
    if (offset_ < bytes_of(source)) continue;
    if (file_) {
      if (Status as_planned = file_->verify(); !as_planned) return as_planned;
    }
    file_.reset();
    piece_ += 1;
    offset_ = 0;
  }
  return success();
}

}  // namespace fanfold
