// table.cpp: writes the tables that scripts/bench groups, to standard output, from a fixed seed:
//   table brc ROWS STATIONS     "station;-12.3" a line, no header: the one-billion-row format
//   table groups ROWS GROUPS    "key,value" with a header: integer keys, integer values
//   table wide ROWS             30 columns, half of them quoted, some with commas and quotes within
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

// SplitMix64 (Steele, Lea and Flood 2014).
class Random {
 public:
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

 private:
  std::uint64_t state_ = 42;
};

class Output {
 public:
  ~Output() { flush(); }
  void put(std::string_view text) {
    if (buffer_.size() + text.size() > kBytes) flush();
    buffer_.append(text);
  }
  void flush() {
    if (std::fwrite(buffer_.data(), 1, buffer_.size(), stdout) != buffer_.size()) std::exit(3);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kBytes = 1 << 20;
  std::string buffer_;
};

std::string tenths(std::int64_t value) {
  const std::int64_t magnitude = value < 0 ? -value : value;
  return (value < 0 ? "-" : "") + std::to_string(magnitude / 10) + "." + std::to_string(magnitude % 10);
}

// Names of 3 to 26 bytes, as those of cities are; a few of them not ASCII.
std::string station_name(Random& random, std::uint64_t number) {
  static constexpr std::array<std::string_view, 24> kSyllables = {
      "ba", "ri",       "to",  "na",  "lo", "san ", "mar", "ville", "burg", "ki", "el", "os",
      "ua", "\xc3\xa9", "ten", "gra", "du", "pe",   "shi", "qo",    "han",  "zu", "wa", "tor"};
  std::string name(1, static_cast<char>('A' + number % 26));
  for (std::uint64_t left = 1 + random.below(5); left > 0; --left) name += kSyllables[random.below(kSyllables.size())];
  name += kSyllables[number / 26 % 24].substr(0, 2);
  return name + static_cast<char>('a' + number / 624 % 26);
}

void write_brc(Output& out, std::uint64_t rows, std::uint64_t stations) {
  Random random;
  std::vector<std::string> names;
  std::vector<std::int64_t> means;
  for (std::uint64_t number = 0; number < stations; ++number) {
    names.push_back(station_name(random, number) + ";");
    means.push_back(static_cast<std::int64_t>(random.below(600)) - 200);
  }
  std::vector<std::string> values;
  for (std::int64_t value = -999; value <= 999; ++value) values.push_back(tenths(value) + "\n");
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::uint64_t station = random.below(stations);
    // About normal: the sum of four.
    const std::uint64_t dice = random.next();
    const std::int64_t spread =
        static_cast<std::int64_t>((dice & 127) + (dice >> 8 & 127) + (dice >> 16 & 127) + (dice >> 24 & 127)) - 254;
    out.put(names[station]);
    out.put(values[static_cast<std::size_t>(means[station] + spread + 999)]);
  }
}

void write_groups(Output& out, std::uint64_t rows, std::uint64_t groups) {
  Random random;
  out.put("key,value\n");
  for (std::uint64_t row = 0; row < rows; ++row) {
    out.put(std::to_string(random.below(groups)) + "," + std::to_string(random.below(1000)) + "\n");
  }
}

void write_wide(Output& out, std::uint64_t rows) {
  Random random;
  for (int column = 0; column < 30; ++column) out.put((column == 0 ? "c" : ",c") + std::to_string(column));
  out.put("\n");
  for (std::uint64_t row = 0; row < rows; ++row) {
    std::string line;
    for (int column = 0; column < 30; ++column) {
      if (column != 0) line += ",";
      const std::uint64_t dice = random.next();
      if (column == 2) {
        line += "\"group " + std::to_string(dice % 100) + "\"";
      } else if (column % 2 == 0) {
        line += dice % 16 == 0 ? "\"said \"\"no\"\", and left\"" : "\"some words " + std::to_string(dice % 1000) + "\"";
      } else {
        line += tenths(static_cast<std::int64_t>(dice % 20000) - 10000);
      }
    }
    out.put(line + "\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc > 1 ? argv[1] : "";
  const auto number = [&](int at) { return argc > at ? std::strtoull(argv[at], nullptr, 10) : 0; };
  Output out;
  if (kind == "brc" && argc == 4 && number(3) > 0) {
    write_brc(out, number(2), number(3));
  } else if (kind == "groups" && argc == 4 && number(3) > 0) {
    write_groups(out, number(2), number(3));
  } else if (kind == "wide" && argc == 3) {
    write_wide(out, number(2));
  } else {
    std::fputs("usage: table brc ROWS STATIONS | groups ROWS GROUPS | wide ROWS\n", stderr);
    return 2;
  }
}
