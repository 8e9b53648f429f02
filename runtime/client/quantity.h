// quantity.h: sizes as users write them, and sizes, times, rates and counts as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/failure.h"
#include "engine/instant.h"

namespace fanfold {

// "512", "64KiB", "4 MiB", "1.5GB": a number of bytes, alone or with B, KiB, MiB, GiB, TiB (powers of
// 1024) or KB, MB, GB, TB (powers of 1000), in any case. Exit 2 for anything else; `what` names the flag
// in the sentence.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text, std::string_view what);

// "30", "30s", "500ms", "5m", "1h": a span of time; a number alone is seconds. Exit 2 for anything else, and for 0.
[[nodiscard]] Result<Duration> parse_time(std::string_view text, std::string_view what);

// Powers of 1000, three digits: "0 B", "999 B", "1.30 GB".
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
// "545 MB/s".
[[nodiscard]] std::string human_rate(double bytes_per_second);
// "0.4 ms", "12.3 s", "2 min 03 s", "1 h 02 min".
[[nodiscard]] std::string human_seconds(double seconds);
// "12,345,678".
[[nodiscard]] std::string human_count(std::uint64_t count);

}  // namespace fanfold
