// line_number.h: the number of the line that a record stands on, counted only when an error is to be
// printed.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/worker/reading/shard_reader.h"

namespace fanfold {

// Lines count from 1. Nothing for records that are no lines, files that cannot be read again, and offsets so far
// behind that counting would keep the user waiting. Offsets in compressed files are those of their content.
inline constexpr uint64_t kLinesCountedBytesMax = uint64_t{2} << 30;
[[nodiscard]] std::optional<uint64_t> line_number_of(const Source& source, uint64_t offset, const ReadOptions& options);

}  // namespace fanfold
