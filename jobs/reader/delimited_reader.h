// delimited_reader.h: DelimitedReader, the rows of delimited text (CSV, TSV) as slices of the columns that are
// wanted, in batches. RFC 4180 quotes, CRLF and LF, blank lines passed over, comment lines, rows of the wrong
// width refused or padded. Of Fanfold it knows only the SDK.
//
// Rules: a field that begins with a quote ends with the quote that is not doubled, and a delimiter or a line's end
// follows; a quote elsewhere is a byte like any other. A line of no bytes is no row. A carriage return before a line's
// end is part of it.
//
// Threads: a reader a thread. Memory: proportional to a block's longest stretch of rows, reused.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/slice.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/reader/delimited_scan.h"

namespace fanfold::reader {

struct DelimitedOptions {
  char delimiter = ',';          // ASCII; neither '"' nor a line's end
  bool quotes = true;            // whether '"' quotes
  bool quoted_newlines = false;  // whether quoted fields may hold line ends
  std::string comment = {};      // lines that begin so are passed over; empty: none
  bool pad = false;              // short rows are filled up with `padding`, of long ones the rest is left out
  std::string padding = {};
};

// Rows, each with the same columns. Valid until the visitor returns.
class RowBatch {
 public:
  RowBatch(const char* text, std::uint64_t offset, std::span<const std::uint32_t> begins,
           std::span<const std::vector<Slice>> columns, std::size_t first)
      : text_(text), offset_(offset), begins_(begins), columns_(columns), first_(first) {}

  [[nodiscard]] std::size_t size() const { return begins_.size(); }
  // What slices count from. 64 bytes before and behind each slice may be read.
  [[nodiscard]] const char* text() const { return text_; }
  // The fields of the wanted column number `index`: unquoted, "" undoubled.
  [[nodiscard]] std::span<const Slice> column(std::size_t index) const {
    return std::span(columns_[index]).subspan(first_, size());
  }
  // Where a row begins in the source.
  [[nodiscard]] std::uint64_t offset(std::size_t row) const { return offset_ + begins_[row]; }

 private:
  const char* text_;
  std::uint64_t offset_;
  std::span<const std::uint32_t> begins_;
  std::span<const std::vector<Slice>> columns_;
  std::size_t first_;
};

// Cuts one row, without its line's end, into fields; false where it is malformed. For headers.
[[nodiscard]] inline bool split_row(std::string_view row, const DelimitedOptions& options,
                                    std::vector<std::string>& fields) {
  fields.clear();
  std::size_t at = 0;
  for (;;) {
    std::string field;
    if (options.quotes && at < row.size() && row[at] == '"') {
      for (++at;; ++at) {
        if (at >= row.size()) return false;
        if (row[at] == '"') {
          if (at + 1 >= row.size() || row[at + 1] != '"') break;
          ++at;
        }
        field.push_back(row[at]);
      }
      ++at;
      if (at < row.size() && row[at] != options.delimiter) return false;
    } else {
      const std::size_t end = std::min(row.find(options.delimiter, at), row.size());
      field = row.substr(at, end - at);
      at = end;
    }
    fields.push_back(std::move(field));
    if (at >= row.size()) return true;
    ++at;
  }
}

class DelimitedReader {
 public:
  static constexpr std::size_t kBatchRows = 1024;

  DelimitedReader(const DelimitedOptions& options, std::uint32_t kernels)
      : options_(options),
        alphabet_{options.delimiter, options.quotes ? '"' : '\n'},
        kernels_(delimited_scan::kernels_for(kernels)) {}

  // What is wanted of rows of `width` columns: these, each below `width`, in the order given.
  void set_columns(std::span<const std::uint32_t> wanted, std::uint32_t width) {
    wanted_.assign(wanted.begin(), wanted.end());
    columns_.resize(wanted_.size());
    width_ = width;
  }

  // Reads a block of whole lines, `offset` bytes from the source's begin; 64 bytes before and behind it may be read.
  // Calls visit(const RowBatch&) for the rows in order, and malformed(std::uint64_t offset, std::string_view why)
  // for each that is none. Where lines may be quoted a row may go on in the next block; finish() tells that
  // there is none.
  template <class Visitor, class Malformed>
  void read(std::string_view block, std::uint64_t offset, Visitor&& visit, Malformed&& malformed) {
    if (carried_.empty()) {
      const std::size_t used = rows_of(block, offset, false, visit, malformed);
      carry(block.substr(used), offset + used);
      return;
    }
    carried_.resize(carried_.size() - kSlack);
    carried_.insert(carried_.end(), block.begin(), block.end());
    carried_.insert(carried_.end(), kSlack, '\0');
    read_carried(false, visit, malformed);
  }

  template <class Visitor, class Malformed>
  void finish(Visitor&& visit, Malformed&& malformed) {
    if (!carried_.empty()) read_carried(true, visit, malformed);
    carried_.clear();
  }

  // The first record of text that is neither blank nor a comment, without its line's end, and how many bytes lie
  // before the next one; for headers. False where there is none.
  [[nodiscard]] bool first_record(std::string_view text, std::string_view& record, std::size_t& bytes) const {
    std::size_t at = 0;
    while (at < text.size()) {
      std::size_t end = at;
      bool quoted = false;
      for (; end < text.size() && (text[end] != '\n' || (quoted && options_.quoted_newlines)); ++end) {
        if (options_.quotes && text[end] == '"') quoted = !quoted;
      }
      const std::size_t next = std::min(end + 1, text.size());
      std::size_t content = end;
      if (content > at && text[content - 1] == '\r') --content;
      const std::string_view line = text.substr(at, content - at);
      if (!line.empty() && (options_.comment.empty() || !line.starts_with(options_.comment))) {
        record = line;
        bytes = next;
        return true;
      }
      at = line.empty() ? next : std::min(text.find('\n', at), text.size() - 1) + 1;
    }
    bytes = text.size();
    return false;
  }

 private:
  static constexpr std::size_t kSlack = 64;
  static constexpr std::size_t kWindowBytes = std::size_t{16} << 10;  // text, masks and positions stay in L1 and L2

  struct Fault {
    std::uint32_t begin;
    const char* why;
  };

  struct Refused {
    std::size_t rows_before;
    std::uint32_t begin;
    std::string why;
  };

  void carry(std::string_view rest, std::uint64_t offset) {
    if (rest.empty()) return;
    carried_.assign(kSlack, '\0');
    carried_.insert(carried_.end(), rest.begin(), rest.end());
    carried_.insert(carried_.end(), kSlack, '\0');
    carried_offset_ = offset;
  }

  template <class Visitor, class Malformed>
  void read_carried(bool last, Visitor&& visit, Malformed&& malformed) {
    const std::string_view text(carried_.data() + kSlack, carried_.size() - 2 * kSlack);
    const std::size_t used = rows_of(text, carried_offset_, last, visit, malformed);
    carried_.erase(carried_.begin() + static_cast<std::ptrdiff_t>(kSlack),
                   carried_.begin() + static_cast<std::ptrdiff_t>(kSlack + used));
    carried_offset_ += used;
    if (carried_.size() == 2 * kSlack) carried_.clear();
  }

  // Gives the rows of a text, window by window; tells how many bytes they took: all, but for a quoted field that
  // may go on when this is not the last text.
  template <class Visitor, class Malformed>
  std::size_t rows_of(std::string_view text, std::uint64_t offset, bool last, Visitor&& visit, Malformed&& malformed) {
    std::size_t begin = 0;
    std::size_t wanted = kWindowBytes;
    while (begin < text.size()) {
      const std::size_t end = window_end(text, begin, wanted);
      const bool final = end == text.size() && (last || !options_.quoted_newlines);
      const std::size_t used = scan_window(text, begin, end, final);
      if (used == 0) {
        // A quoted field longer than the window.
        if (end == text.size()) break;
        wanted = 2 * (end - begin);
        continue;
      }
      give_rows(text, begin, begin + used, offset, visit, malformed);
      begin += used;
      wanted = kWindowBytes;
    }
    return begin;
  }

  // Behind a line's end, where there is one.
  static std::size_t window_end(std::string_view text, std::size_t begin, std::size_t wanted) {
    if (text.size() - begin <= wanted) return text.size();
    const std::size_t found = text.rfind('\n', begin + wanted - 1);
    if (found != std::string_view::npos && found >= begin) return found + 1;
    const std::size_t next = text.find('\n', begin + wanted);
    return next == std::string_view::npos ? text.size() : next + 1;
  }

  // Fills positions_ with the field ends of text[begin, end), counted from `begin`, and lines_, faults_, quoted_. Tells
  // how many bytes whole rows take. A last row without a line's end has one at `end` when it is final.
  std::size_t scan_window(std::string_view text, std::size_t begin, std::size_t end, bool final) {
    const std::size_t size = end - begin;
    const std::size_t chunks = (size + 63) / 64;
    masks_.resize(chunks);
    positions_.resize(64 * chunks + delimited_scan::kPositionSlack);
    faults_.clear();
    scanned_bytewise_ = false;
    kernels_.classify(text.data() + begin, chunks, alphabet_, masks_.data());
    if (size % 64 != 0) {
      const std::uint64_t kept = (std::uint64_t{1} << (size % 64)) - 1;
      delimited_scan::Masks& tail = masks_[chunks - 1];
      tail = {tail.ends & kept, tail.lines & kept, tail.quotes & kept};
    }
    std::uint64_t quotes = 0;
    for (const delimited_scan::Masks& masks : masks_) quotes |= masks.quotes;
    quoted_ = quotes != 0;
    if (quoted_) {
      // A comment may hold quotes that quote nothing.
      const delimited_scan::Quoting quoting =
          options_.comment.empty() ? delimited_scan::resolve_quotes(text.data() + begin, size, options_.quoted_newlines,
                                                                    masks_.data(), chunks)
                                   : delimited_scan::Quoting::kOdd;
      if (quoting == delimited_scan::Quoting::kOdd || (quoting == delimited_scan::Quoting::kOpen && final)) {
        return scan_bytewise(text.substr(begin, size), final);
      }
    }
    lines_ = 0;
    for (const delimited_scan::Masks& masks : masks_) {
      lines_ += static_cast<std::size_t>(std::popcount(masks.lines));
    }
    count_ = static_cast<std::size_t>(kernels_.write_positions(masks_.data(), chunks, 0, positions_.data()) -
                                      positions_.data());
    const char* window = text.data() + begin;
    if (count_ != 0 && positions_[count_ - 1] + 1 == size && window[size - 1] == '\n') return size;
    if (final) {
      positions_[count_++] = static_cast<std::uint32_t>(size);
      ++lines_;
      return size;
    }
    while (count_ != 0 && window[positions_[count_ - 1]] != '\n') --count_;
    return count_ == 0 ? 0 : positions_[count_ - 1] + 1;
  }

  // The same for text in which quotes stand where the masks cannot judge them. What RFC 4180 does not allow
  // becomes a fault and costs the row up to its line's end.
  std::size_t scan_bytewise(std::string_view window, bool final) {
    scanned_bytewise_ = true;
    count_ = 0;
    std::size_t begin = 0;
    while (begin < window.size()) {
      const std::size_t count_before = count_;
      const std::size_t line_end = std::min(window.find('\n', begin), window.size());
      std::size_t at = begin;
      const char* why = nullptr;
      if (is_comment(window.substr(begin))) {
        at = line_end;
      } else {
        for (;;) {
          if (options_.quotes && at < window.size() && window[at] == '"') {
            at = closing_quote(window, at + 1);
            if (at >= window.size() || (!options_.quoted_newlines && at > line_end)) {
              if (options_.quoted_newlines && !final) {
                count_ = count_before;
                return begin;
              }
              why = options_.quoted_newlines
                        ? "a quoted field is not closed"
                        : "a quoted field is not closed in its line; use --quoted-newlines if fields hold line ends";
              at = options_.quoted_newlines ? window.size() : line_end;
              break;
            }
            ++at;
            const bool ends = at >= window.size() || window[at] == options_.delimiter || window[at] == '\n' ||
                              (window[at] == '\r' && (at + 1 == window.size() || window[at + 1] == '\n'));
            if (!ends) {
              why = "something follows a quoted field's closing quote; double the quotes within quoted fields";
              at = std::min(window.find('\n', at), window.size());
              break;
            }
            if (at < window.size() && window[at] == '\r') ++at;
          } else {
            while (at < window.size() && window[at] != options_.delimiter && window[at] != '\n') ++at;
          }
          if (at >= window.size() || window[at] == '\n') break;
          put_position(at);
          ++at;
        }
      }
      if (at >= window.size() && !final) {
        count_ = count_before;
        return begin;
      }
      if (why != nullptr) {
        count_ = count_before;
        faults_.push_back({static_cast<std::uint32_t>(begin), why});
      }
      put_position(at);
      begin = std::min(at + 1, window.size());
    }
    return window.size();
  }

  void put_position(std::size_t at) {
    if (count_ == positions_.size()) positions_.resize(2 * positions_.size());
    positions_[count_++] = static_cast<std::uint32_t>(at);
  }

  static std::size_t closing_quote(std::string_view text, std::size_t at) {
    for (;; at += 2) {
      at = text.find('"', at);
      if (at == std::string_view::npos) return text.size();
      if (at + 1 >= text.size() || text[at + 1] != '"') return at;
    }
  }

  [[nodiscard]] bool is_comment(std::string_view row) const {
    return !options_.comment.empty() && row.starts_with(options_.comment);
  }

  template <class Visitor, class Malformed>
  void give_rows(std::string_view text, std::size_t begin, std::size_t end, std::uint64_t offset, Visitor& visit,
                 Malformed& malformed) {
    const char* window = text.data() + begin;
    const std::size_t size = end - begin;
    base_ = window;
    refused_.clear();
    if (!take_regular_rows(window)) take_rows(window, size);
    if (quoted_) unquote(window, size);
    std::size_t first = 0;
    const auto visit_until = [&](std::size_t end_row) {
      while (first < end_row) {
        const std::size_t rows = std::min(kBatchRows, end_row - first);
        visit(RowBatch(base_, offset + begin, std::span(begins_).subspan(first, rows), columns_, first));
        first += rows;
      }
    };
    for (const Refused& refused : refused_) {
      visit_until(refused.rows_before);
      malformed(offset + begin + refused.begin, refused.why);
    }
    visit_until(begins_.size());
  }

  // Where every line has just the right number of fields: column by column. False, and nothing done, where not.
  bool take_regular_rows(const char* window) {
    const std::size_t width = width_;
    // A table of one column may hold blank lines, which only the other way knows.
    if (scanned_bytewise_ || width < 2 || !options_.comment.empty() || count_ != lines_ * width) return false;
    const std::uint32_t* positions = positions_.data();
    // As many lines as rows, and a line's end at each row's end: so there is none within a row. The last one
    // may lie behind the text.
    begins_.resize(lines_);
    std::size_t others = 0;
    std::uint32_t begin = 0;
    const std::uint32_t* row_end = positions + width - 1;
    for (std::size_t row = 0; row + 1 < lines_; ++row, row_end += width) {
      begins_[row] = begin;
      others += static_cast<std::size_t>(window[*row_end] != '\n');
      begin = *row_end + 1;
    }
    if (lines_ != 0) begins_[lines_ - 1] = begin;
    if (others != 0) return false;
    for (std::size_t index = 0; index < wanted_.size(); ++index) {
      const std::size_t column = wanted_[index];
      std::vector<Slice>& slices = columns_[index];
      slices.resize(lines_);
      if (column == 0) {
        for (std::size_t row = 0; row < lines_; ++row) slices[row] = {begins_[row], positions[row * width]};
      } else {
        const std::uint32_t* before = positions + column - 1;
        for (std::size_t row = 0; row < lines_; ++row) {
          slices[row] = {before[row * width] + 1, before[row * width + 1]};
        }
      }
      if (column + 1 == width) {
        for (Slice& slice : slices) {
          slice.end -= static_cast<std::uint32_t>(slice.end > slice.begin && window[slice.end - 1] == '\r');
        }
      }
    }
    return true;
  }

  void take_rows(const char* window, std::size_t size) {
    begins_.clear();
    for (std::vector<Slice>& slices : columns_) slices.clear();
    std::size_t fault = 0;
    std::uint32_t begin = 0;
    padded_ = false;
    for (std::size_t at = 0; at < count_;) {
      const std::size_t first = at;
      while (positions_[at] != size && window[positions_[at]] != '\n') ++at;
      const std::uint32_t end = positions_[at++];
      const std::uint32_t row = begin;
      begin = end + 1;
      const std::uint32_t content = end - static_cast<std::uint32_t>(end > row && window[end - 1] == '\r');
      if (fault < faults_.size() && faults_[fault].begin == row) {
        refused_.push_back({begins_.size(), row, faults_[fault++].why});
        continue;
      }
      if (content == row || is_comment({window + row, content - row})) continue;
      const std::size_t fields = at - first;
      if (fields != width_ && !options_.pad) {
        refused_.push_back({begins_.size(), row,
                            "the row has " + std::to_string(fields) + (fields == 1 ? " field" : " fields") +
                                (width_ == 1 ? " where there is " : " where there are ") + std::to_string(width_) +
                                (width_ == 1 ? " column" : " columns") +
                                "; use --ragged pad to fill up short rows and cut long ones"});
        continue;
      }
      begins_.push_back(row);
      for (std::size_t index = 0; index < wanted_.size(); ++index) {
        const std::size_t column = wanted_[index];
        if (column >= fields) {
          padded_ = true;
          columns_[index].push_back({UINT32_MAX, UINT32_MAX});
          continue;
        }
        const std::uint32_t field = column == 0 ? row : positions_[first + column - 1] + 1;
        columns_[index].push_back({field, column + 1 == fields ? content : positions_[first + column]});
      }
    }
    if (padded_) pad(window, size);
  }

  // Text of our own, in which what the rows lack is written.
  char* copy_window(const char* window, std::size_t size) {
    copy_.resize(2 * kSlack + size + options_.padding.size());
    std::memcpy(copy_.data() + kSlack, window, size);
    base_ = copy_.data() + kSlack;
    return copy_.data() + kSlack;
  }

  void pad(const char* window, std::size_t size) {
    char* text = copy_window(window, size);
    std::memcpy(text + size, options_.padding.data(), options_.padding.size());
    const Slice padding{static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(size + options_.padding.size())};
    for (std::vector<Slice>& slices : columns_) {
      for (Slice& slice : slices) {
        if (slice.begin == UINT32_MAX) slice = padding;
      }
    }
  }

  // Takes the quotes off fields, and undoubles those within, which happens in a copy.
  void unquote(const char* window, std::size_t size) {
    char* copy = base_ == window ? nullptr : copy_.data() + kSlack;
    for (std::vector<Slice>& slices : columns_) {
      for (Slice& slice : slices) {
        if (slice.end - slice.begin < 2 || base_[slice.begin] != '"' || slice.begin >= size) continue;
        ++slice.begin;
        --slice.end;
        const void* doubled = std::memchr(base_ + slice.begin, '"', slice.end - slice.begin);
        if (doubled == nullptr) continue;
        if (copy == nullptr) copy = copy_window(window, size);
        std::uint32_t to = slice.begin;
        for (std::uint32_t from = slice.begin; from < slice.end; ++from) {
          const char byte = copy[from];
          copy[to++] = byte;
          if (byte == '"') ++from;
        }
        slice.end = to;
      }
    }
  }

  DelimitedOptions options_;
  delimited_scan::Alphabet alphabet_;
  delimited_scan::Kernels kernels_;
  std::vector<std::uint32_t> wanted_;
  std::uint32_t width_ = 0;

  // Of the window: what the scan found, and the rows made of it.
  std::vector<delimited_scan::Masks> masks_;
  std::vector<std::uint32_t> positions_;
  std::size_t count_ = 0;  // of positions
  std::size_t lines_ = 0;
  bool quoted_ = false;
  bool scanned_bytewise_ = false;
  bool padded_ = false;
  std::vector<Fault> faults_;
  std::vector<Refused> refused_;  // in order
  std::vector<std::uint32_t> begins_;
  std::vector<std::vector<Slice>> columns_;
  const char* base_ = nullptr;
  std::vector<char> copy_;

  // Of a row that may go on: kSlack bytes, the text, kSlack bytes.
  std::vector<char> carried_;
  std::uint64_t carried_offset_ = 0;
};

}  // namespace fanfold::reader
