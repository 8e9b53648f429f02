// shard_reader.cpp: fills one small buffer, again and again, and cuts it at delimiters. The tail behind the
// last delimiter moves to the front before the next read; the buffer grows only for a record that
// does not fit it.
#include "runtime/worker/reading/shard_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/assertion.h"

namespace fanfold {
namespace {

// How far beyond a shard's end the first read goes: nearly every record that crosses the border ends there,
// and what is read for nothing where no shard of the lease follows is small.
constexpr uint64_t kOverlapBytes = 4096;
constexpr size_t kHeadBytesFirst = 4096;

uint64_t add_up_to_most(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max() : a + b;
}

}  // namespace

ShardReader::ShardReader(ReadOptions options)
    : options_(std::move(options)),
      delimiters_(options_.delimiters),
      capacity_first_(
          static_cast<size_t>(std::clamp<uint64_t>(options_.block_bytes, 1, options_.record_bytes_max + 1))),
      capacity_max_(static_cast<size_t>(options_.record_bytes_max + 1)) {
  FANFOLD_ASSERT(options_.record_bytes_max < std::numeric_limits<uint64_t>::max() / 4, "record_bytes_max");
}

bool ShardReader::cancelled() const {
  return options_.stop != nullptr && __atomic_load_n(options_.stop, __ATOMIC_RELAXED) == FANFOLD_CANCEL;
}

bool ShardReader::at_end_of_source() const {
  return decompressor_ ? decompressor_->at_end() : filled_to() == source_->size;
}

void ShardReader::begin_lease() {
  decompressor_.reset();
  file_.reset();
  source_ = nullptr;
  finished_ = true;
  at_border_ = false;
  // A long record of the lease before must not hold its memory for ever.
  if (capacity_ > capacity_first_) {
    buffer_.reset();
    capacity_ = 0;
  }
}

Status ShardReader::end_lease() {
  Status status = leave_source();
  begin_lease();
  return status;
}

Status ShardReader::leave_source() {
  if (!file_) return success();
  Status status = file_->verify();
  decompressor_.reset();
  file_.reset();
  source_ = nullptr;
  return status;
}

Status ShardReader::switch_to(const Source& source, uint32_t number) {
  if (Status status = leave_source(); !status) return status;
  Result<InputFile> file =
      InputFile::open(source, options_.path_map, options_.allow_growth, options_.reader, options_.shipped);
  if (!file) return file.failure();
  file_.emplace(std::move(file).value());
  source_ = &source;
  if (source_number_ != number) head_known_ = false;
  source_number_ = number;
  return success();
}

Status ShardReader::open(const Source& source, const ShardSlice& slice, uint64_t reach) {
  FANFOLD_ASSERT(source.kind != SourceKind::kRange, source.name);
  FANFOLD_ASSERT(slice.begin < slice.end && slice.end <= source.size, source.name);
  failure_.reset();
  const bool same_source = file_ && source_number_ == slice.source;
  const bool continues = same_source && finished_ && at_border_ && shard_end_ == slice.begin;
  if (!same_source) {
    if (Status status = switch_to(source, slice.source); !status) return status;
    drop_buffer(0);
  }
  if (buffer_ == nullptr) {
    if (Status status = allocate(capacity_first_); !status) return status;
  }
  file_->expect(slice.begin > 0 ? slice.begin - 1 : 0,
                std::min(source.size, add_up_to_most(std::max(reach, slice.end), kOverlapBytes)));
  shard_begin_ = slice.begin;
  shard_end_ = slice.end;
  skipping_ = false;
  finished_ = false;
  at_border_ = false;
  if (source.compression != Compression::kNone) {
    FANFOLD_ASSERT(slice.begin == 0 && slice.end == source.size, source.name);
    decompressor_ = make_decompressor(*file_);
    drop_buffer(0);
  } else if (!continues) {
    // The first record is not skipped; any other begins behind a delimiter, the earliest of which lies right
    // before the shard.
    skipping_ = slice.begin > 0;
    seek(skipping_ ? slice.begin - 1 : 0);
  }
  return options_.wants_head && !head_known_ ? read_head() : success();
}

Status ShardReader::read_head() {
  head_.clear();
  if (decompressor_) {
    // A stream cannot go back: its first record stays in the buffer for the first block.
    const char* found = nullptr;
    while ((found = delimiters_.first(data() + scanned_, end_ - scanned_)) == nullptr && !at_end_of_source()) {
      scanned_ = end_;
      Result<ReadOutcome> outcome = refill();
      if (!outcome) return outcome.failure();
      if (*outcome == ReadOutcome::kStopped) return success();  // next() says so
    }
    const char* end = found != nullptr ? found : data() + end_;
    if (static_cast<uint64_t>(end - (data() + begin_)) > options_.record_bytes_max) return record_too_long(offset_);
    head_.assign(data() + begin_, static_cast<size_t>(end - (data() + begin_)));
  } else {
    for (size_t bytes = kHeadBytesFirst;; bytes *= 2) {
      const size_t before = head_.size();
      const auto wanted = static_cast<size_t>(std::min<uint64_t>({bytes, source_->size, capacity_max_}));
      if (wanted == before) {
        // All of the file, or more than a record may have.
        if (before > options_.record_bytes_max) return record_too_long(0);
        break;
      }
      if (cancelled()) return success();
      head_.resize(wanted);
      if (Status status = file_->read_at(before, head_.data() + before, wanted - before); !status) {
        return cancelled() ? success() : status;
      }
      if (const char* found = delimiters_.first(head_.data() + before, wanted - before); found != nullptr) {
        head_.resize(static_cast<size_t>(found - head_.data()));
        break;
      }
    }
  }
  head_known_ = true;
  return success();
}

void ShardReader::drop_buffer(uint64_t offset) {
  begin_ = end_ = scanned_ = 0;
  offset_ = offset;
}

void ShardReader::seek(uint64_t offset) {
  if (offset < offset_ || offset > filled_to()) {
    drop_buffer(offset);
    return;
  }
  begin_ += static_cast<size_t>(offset - offset_);
  scanned_ = begin_;
  offset_ = offset;
}

Status ShardReader::allocate(size_t capacity) {
  const size_t bytes = kBlockMargin + capacity + kBlockMargin;
  auto* block = static_cast<char*>(std::aligned_alloc(kBlockMargin, (bytes + kBlockMargin - 1) & ~(kBlockMargin - 1)));
  if (block == nullptr)
    return Failure{ExitCode::kJobFailed, "cannot read " + display_name(*source_) + ": no memory for a buffer of " +
                                             std::to_string(capacity) + " bytes for the record at byte " +
                                             std::to_string(offset_) +
                                             ". Lower --record-bytes-max or use fewer slots."};
  if (end_ > begin_) std::memcpy(block + kBlockMargin, data() + begin_, end_ - begin_);
  buffer_.reset(block);
  capacity_ = capacity;
  scanned_ -= begin_;
  end_ -= begin_;
  begin_ = 0;
  return success();
}

Status ShardReader::make_room() {
  if (begin_ > 0) {
    std::memmove(data(), data() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ < capacity_) return success();
  if (capacity_ >= capacity_max_) return record_too_long(offset_);
  return allocate(std::min(capacity_ * 2, capacity_max_));
}

// A wait for shipped bytes that was cancelled is no failure of the input.
Result<ReadOutcome> ShardReader::stopped_or(Failure failure) const {
  if (cancelled()) return ReadOutcome::kStopped;
  return failure;
}

// Reads more behind what is buffered. Called only where the source has more.
Result<ReadOutcome> ShardReader::refill() {
  if (cancelled()) return ReadOutcome::kStopped;
  if (Status status = make_room(); !status) return status.failure();
  if (decompressor_) {
    // To the brim: members and frames may be far smaller than a block.
    while (end_ < capacity_ && !decompressor_->at_end()) {
      if (cancelled()) return ReadOutcome::kStopped;
      const uint64_t stored_before = decompressor_->stored_bytes();
      Result<size_t> got = decompressor_->read(data() + end_, capacity_ - end_);
      if (!got) return stopped_or(got.failure());
      stored_bytes_ += decompressor_->stored_bytes() - stored_before;
      end_ += *got;
    }
    return ReadOutcome::kBlock;
  }
  const uint64_t from = filled_to();
  const uint64_t reach = add_up_to_most(shard_end_, kOverlapBytes);
  // Beyond the shard's end only a record as long as what is buffered of it already is looked for.
  const uint64_t useful =
      std::max({reach > from ? reach - from : 0, kOverlapBytes, static_cast<uint64_t>(end_ - begin_)});
  const auto bytes = static_cast<size_t>(std::min<uint64_t>({capacity_ - end_, useful, source_->size - from}));
  if (Status status = file_->read_at(from, data() + end_, bytes); !status) return stopped_or(status.failure());
  end_ += bytes;
  return ReadOutcome::kBlock;
}

// Leaves the cursor at the first record that begins in the shard, or finishes a shard in which none does.
Result<ReadOutcome> ShardReader::skip_to_first_record() {
  const uint64_t border = shard_end_ - 1;  // a delimiter here or later starts a record of the next shard
  while (true) {
    const uint64_t searched_to = std::min(filled_to(), border);
    if (searched_to > offset_) {
      const auto bytes = static_cast<size_t>(searched_to - offset_);
      const char* found = delimiters_.first(data() + begin_, bytes);
      const auto skipped = found != nullptr ? static_cast<size_t>(found - (data() + begin_)) + 1 : bytes;
      begin_ += skipped;
      offset_ += skipped;
      scanned_ = begin_;
      if (found != nullptr) {
        skipping_ = false;
        return ReadOutcome::kBlock;
      }
    }
    if (offset_ >= border) {
      finished_ = true;
      return ReadOutcome::kEnd;
    }
    Result<ReadOutcome> outcome = refill();
    if (!outcome || *outcome == ReadOutcome::kStopped) return outcome;
  }
}

void ShardReader::deliver(size_t bytes, bool last, fanfold_block& block) {
  block.last = last ? 1 : 0;
  block.data = data() + begin_;
  block.bytes = bytes;
  block.offset = offset_;
  begin_ += bytes;
  offset_ += bytes;
  scanned_ = std::max(scanned_, begin_);
  record_bytes_ += bytes;
  if (!decompressor_) stored_bytes_ += bytes;
  if (last) {
    finished_ = true;
    at_border_ = !decompressor_;
  }
}

Result<ReadOutcome> ShardReader::next(fanfold_block& block) {
  block.last = 1;
  block.data = data() + begin_;
  block.bytes = 0;
  block.offset = offset_;
  if (finished_) return ReadOutcome::kEnd;
  if (skipping_) {
    Result<ReadOutcome> outcome = skip_to_first_record();
    if (!outcome || *outcome != ReadOutcome::kBlock) return outcome;
  }
  // A record that begins at or after shard_end_ is the next shard's. A stream has no such border.
  if (!decompressor_ && offset_ >= shard_end_) {
    deliver(0, true, block);
    return ReadOutcome::kEnd;
  }
  const uint64_t border = decompressor_ ? std::numeric_limits<uint64_t>::max() : shard_end_ - 1;
  while (true) {
    // The first delimiter at or behind the border ends the shard.
    size_t before_border = end_;
    if (filled_to() > border) {
      before_border = offset_ >= border ? begin_ : begin_ + static_cast<size_t>(border - offset_);
      const size_t from = std::max(before_border, scanned_);
      if (const char* found = delimiters_.first(data() + from, end_ - from); found != nullptr) {
        deliver(static_cast<size_t>(found - (data() + begin_)) + 1, true, block);
        return ReadOutcome::kBlock;
      }
    }
    if (at_end_of_source()) {
      const size_t bytes = end_ - begin_;
      // So many bytes fit the buffer only as one delimiter more than the longest record.
      if (bytes > options_.record_bytes_max && delimiters_.last(data() + scanned_, end_ - scanned_) == nullptr)
        return record_too_long(offset_);
      deliver(bytes, true, block);
      return bytes > 0 ? ReadOutcome::kBlock : ReadOutcome::kEnd;
    }
    if (before_border > scanned_) {
      if (const char* found = delimiters_.last(data() + scanned_, before_border - scanned_); found != nullptr) {
        deliver(static_cast<size_t>(found - (data() + begin_)) + 1, false, block);
        scanned_ = end_;
        return ReadOutcome::kBlock;
      }
    }
    scanned_ = end_;
    Result<ReadOutcome> outcome = refill();
    if (!outcome || *outcome == ReadOutcome::kStopped) return outcome;
  }
}

Failure ShardReader::record_too_long(uint64_t offset) const {
  return {ExitCode::kInputOutput, "cannot read " + display_name(*source_) + ": the record at byte " +
                                      std::to_string(offset) + " is longer than " +
                                      std::to_string(options_.record_bytes_max) +
                                      " bytes. Raise --record-bytes-max, or check that this is the file you meant."};
}

int32_t ShardReader::next_block(void* context, fanfold_block* block) {
  auto& reader = *static_cast<ShardReader*>(context);
  Result<ReadOutcome> outcome = reader.next(*block);
  if (outcome) return *outcome == ReadOutcome::kStopped ? FANFOLD_STOPPED : FANFOLD_OK;
  reader.failure_ = outcome.failure();
  return FANFOLD_BAD_INPUT;
}

}  // namespace fanfold
