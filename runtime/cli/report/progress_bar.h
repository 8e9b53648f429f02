// progress_bar.h: how far a run has come, on standard error: a bar on a terminal, gone when the run has
// finished; elsewhere a line every ten seconds. The caller passes the time and the readings.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "engine/instant.h"
#include "runtime/cli/output/byte_sink.h"

namespace fanfold {

struct ProgressReading {
  std::uint64_t shards_done = 0;
  std::uint64_t shards = 0;
  std::uint64_t bytes_done = 0;  // 0 of 0 for inputs without bytes
  std::uint64_t bytes = 0;
  bool finishing = false;  // all shards are folded; rows are being ordered
  bool shipping = false;   // the bytes are those of files that are sent to a root; nothing is mapped yet
};

enum class ProgressStyle { kNone, kBar, kLines };
// A bar needs a terminal that can erase a line.
[[nodiscard]] ProgressStyle progress_style(bool quiet, bool is_terminal, const char* term);

class ProgressBar {
 public:
  // Runs shorter than this show nothing.
  static constexpr Duration kFirstBarAfter = milliseconds(300);
  static constexpr Duration kBarEvery = milliseconds(100);
  static constexpr Duration kLineEvery = seconds(10);

  ProgressBar(ByteSink& out, ProgressStyle style, Instant start);
  // Takes the bar away.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Cheap to call often: draws when it is time. `columns` is the terminal's width.
  void update(const ProgressReading& reading, Instant now, unsigned columns = 80);
  // Takes the bar away, for whatever else is to be printed; the next update draws it again.
  void clear();

 private:
  struct Sample {
    Instant at;
    double done;  // bytes, or shards where there are none
  };
  [[nodiscard]] double rate() const;

  ByteSink& out_;
  ProgressStyle style_;
  Instant next_;
  bool shown_ = false;
  bool shipping_ = false;
  std::deque<Sample> samples_;  // of the last seconds
};

}  // namespace fanfold
