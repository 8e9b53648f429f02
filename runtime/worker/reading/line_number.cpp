// line_number.cpp: reads the file again up to the offset, decompressing where it must, and counts line ends.
#include "runtime/worker/reading/line_number.h"

#include <algorithm>
#include <vector>

#include "runtime/worker/reading/decompressor.h"

namespace fanfold {

namespace {

bool records_are_lines(const std::array<uint8_t, 32>& delimiters) {
  std::array<uint8_t, 32> lines{};
  if (delimiters == lines) return true;
  lines['\n' / 8] = 1U << ('\n' % 8);
  return delimiters == lines;
}

uint64_t line_ends_in(const std::vector<char>& block, size_t bytes) {
  return static_cast<uint64_t>(std::count(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(bytes), '\n'));
}

}  // namespace

std::optional<uint64_t> line_number_of(const Source& source, uint64_t offset, const ReadOptions& options) {
  const bool compressed = source.compression != Compression::kNone;
  if (source.kind == SourceKind::kRange || (!compressed && offset > source.size) || offset > kLinesCountedBytesMax ||
      !records_are_lines(options.delimiters)) {
    return std::nullopt;
  }
  const Result<InputFile> file = InputFile::open(source, options.path_map, options.allow_growth, {}, options.shipped);
  if (!file) return std::nullopt;
  file->expect(0, compressed ? source.size : offset);
  const std::unique_ptr<Decompressor> decompressor = compressed ? make_decompressor(*file) : nullptr;
  std::vector<char> block(kBlockBytes);
  uint64_t line = 1;
  for (uint64_t at = 0; at < offset;) {
    auto bytes = static_cast<size_t>(std::min<uint64_t>(block.size(), offset - at));
    if (decompressor != nullptr) {
      const Result<size_t> read = decompressor->read(block.data(), bytes);
      if (!read || (*read == 0 && decompressor->at_end())) return std::nullopt;
      bytes = *read;
    } else if (!file->read_at(at, block.data(), bytes)) {
      return std::nullopt;
    }
    line += line_ends_in(block, bytes);
    at += bytes;
  }
  return line;
}

}  // namespace fanfold
