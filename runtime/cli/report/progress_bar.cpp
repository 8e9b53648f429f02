#include "runtime/cli/report/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "runtime/client/quantity.h"

namespace fanfold {
namespace {

// The rate is that of the last seconds: it follows the run, and does not jump.
constexpr Duration kRateWindow = seconds(5);
constexpr Duration kLineRateWindow = seconds(30);
constexpr std::size_t kBarWidthMax = 40;
constexpr std::size_t kBarWidthMin = 10;
constexpr double kSecondsLeftMax = 100 * 3600.0;

double share_of(const ProgressReading& reading) {
  const auto part = [](std::uint64_t done, std::uint64_t all) {
    return all == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(all));
  };
  return reading.bytes != 0 ? part(reading.bytes_done, reading.bytes) : part(reading.shards_done, reading.shards);
}

std::string bar_of(double share, std::size_t width) {
  const std::size_t inside = width - 2;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(inside));
  std::string bar(inside, ' ');
  std::fill_n(bar.begin(), filled, '=');
  if (filled < inside) bar[filled] = '>';
  return "[" + bar + "]";
}

}  // namespace

ProgressStyle progress_style(bool quiet, bool is_terminal, const char* term) {
  if (quiet) return ProgressStyle::kNone;
  const bool can_erase = term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
  return is_terminal && can_erase ? ProgressStyle::kBar : ProgressStyle::kLines;
}

ProgressBar::ProgressBar(ByteSink& out, ProgressStyle style, Instant start)
    : out_(out), style_(style), next_(start + (style == ProgressStyle::kBar ? kFirstBarAfter : kLineEvery)) {
  samples_.push_back({start, 0});
}

ProgressBar::~ProgressBar() {
  clear();
}

double ProgressBar::rate() const {
  const double elapsed = (samples_.back().at - samples_.front().at).seconds();
  return elapsed <= 0 ? 0 : std::max(0.0, samples_.back().done - samples_.front().done) / elapsed;
}

void ProgressBar::update(const ProgressReading& reading, Instant now, unsigned columns) {
  if (shipping_ != reading.shipping) {
    shipping_ = reading.shipping;  // other bytes are counted, at another speed
    samples_ = {{now, static_cast<double>(reading.bytes_done)}};
  }
  if (style_ == ProgressStyle::kNone || now < next_) return;
  next_ = now + (style_ == ProgressStyle::kBar ? kBarEvery : kLineEvery);

  const bool has_bytes = reading.bytes != 0;
  const auto done = static_cast<double>(has_bytes ? reading.bytes_done : reading.shards_done);
  const auto all = static_cast<double>(has_bytes ? reading.bytes : reading.shards);
  samples_.push_back({now, done});
  const Duration window = style_ == ProgressStyle::kBar ? kRateWindow : kLineRateWindow;
  while (samples_.size() > 2 && now - samples_.front().at > window) samples_.pop_front();

  const double share = share_of(reading);
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3d %%", static_cast<int>(share * 100));
  std::string text = reading.shipping
                         ? human_bytes(reading.bytes_done) + " of " + human_bytes(reading.bytes) + " sent"
                         : human_count(reading.shards_done) + " of " + human_count(reading.shards) + " shards";
  const double per_second = rate();
  if (reading.finishing) {
    text += ", ordering the rows";
  } else {
    if (has_bytes) text += ", " + human_rate(per_second);
    const double left = per_second > 0 ? (all - done) / per_second : kSecondsLeftMax;
    if (left < kSecondsLeftMax) text += ", " + human_seconds(left) + " left";
  }

  if (style_ == ProgressStyle::kLines) {
    (void)out_.write("fanfold: " + std::string(percent + (percent[0] == ' ') + (percent[1] == ' ')) + ", " + text +
                     "\n");
    return;
  }
  // One column stays free: a full line would wrap on some terminals.
  const std::size_t room = columns > 1 ? columns - 1 : 0;
  std::string line = std::string(percent) + "  " + text;
  if (line.size() + 2 + kBarWidthMin <= room) {
    line = bar_of(share, std::min(kBarWidthMax, room - line.size() - 2)) + "  " + line;
  }
  line.resize(std::min(line.size(), room));
  (void)out_.write("\r" + line + "\x1b[K");  // progress that cannot be shown is no reason to fail
  shown_ = true;
}

void ProgressBar::clear() {
  if (!shown_) return;
  (void)out_.write("\r\x1b[K");
  shown_ = false;
}

}  // namespace fanfold
