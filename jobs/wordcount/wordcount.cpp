// wordcount: how often each token of a text occurs, exactly. Tokens are what stands between white space
// (C's isspace), or runs of letters, or what a split at \W+ leaves. Any bytes are legal.
#include <array>
#include <cstdint>
#include <fanfold/job.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/reader/token_scan.h"

namespace {

using fanfold::reader::Separators;

struct WordCount {
  using Partial = fanfold::Table<std::string_view, fanfold::Count>;
  static constexpr const char* help =
      "Counts how often each token occurs. Columns: word, count; the most frequent first, equal counts in\n"
      "bytewise order of the words. Input may be any bytes; a token is never cut or changed.";

  bool lower = false;
  std::string pattern = "space";
  std::uint64_t min_count = 1;
  std::uint64_t top = 0;
  std::uint32_t kernels = FANFOLD_KERNELS_PORTABLE;

  static void parameters(fanfold::Parameters<WordCount>& parameters) {
    parameters.flag("lower", &WordCount::lower, "Counts the ASCII letters A-Z as a-z.");
    parameters.choice(
        "pattern", &WordCount::pattern, "space|letters|nonword",
        "What a token is: bytes between white space, runs of ASCII letters, or what a split at \\W+ leaves.");
    parameters.integer("min-count", &WordCount::min_count, 1, INT64_MAX, "Leaves out words that are rarer.");
    parameters.integer("top", &WordCount::top, 0, INT64_MAX, "Only so many of the most frequent words; 0 is all.");
  }

  void opened(const fanfold_host& host) { kernels = host.kernels; }

  void schema(fanfold::SchemaBuilder& schema) const {
    schema.column("word", fanfold::Type::kText, "the token, its bytes as they are")
        .column("count", fanfold::Type::kUint64, "how often it occurs")
        .order_by("count", fanfold::Direction::kDescending)
        .order_by("word")
        .limit(top);
    // Records are tokens: they end at every byte that no token holds.
    std::string delimiters;
    for (int code = 0; code < 256; ++code) {
      if (is_separator(static_cast<unsigned char>(code))) delimiters.push_back(static_cast<char>(code));
    }
    schema.delimiters(delimiters);
  }

  void map(const fanfold::Shard& shard, Partial& partial) const {
    shard.for_each_block([&](const fanfold::Block& block) {
      shard.mark(block.offset);
      const std::string_view text = lower ? lowered(block.bytes) : block.bytes;
      std::uint64_t tokens = 0;
      const auto count = [&](std::span<const fanfold::Slice> batch) {
        partial.update(text.data(), batch, [](fanfold::Count& occurrences, std::size_t) { occurrences.add(); });
        tokens += batch.size();
      };
      if (pattern == "letters") {
        fanfold::reader::for_each_token_batch<Separators::kNonLetter>(text, kernels, count);
      } else if (pattern == "nonword") {
        fanfold::reader::for_each_token_batch<Separators::kNonWord>(text, kernels, count);
      } else {
        fanfold::reader::for_each_token_batch<Separators::kSpace>(text, kernels, count);
      }
      shard.count_records(tokens);
    });
  }

  void finish(const Partial::Part& part, fanfold::Rows& rows) const {
    part.for_each([&](const auto& row) {
      const std::uint64_t count = row.fold.value();
      if (count >= min_count) rows.add(row.key, count);
    });
  }

 private:
  [[nodiscard]] bool is_separator(unsigned char byte) const {
    const bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    if (pattern == "letters") return !letter;
    if (pattern == "nonword") return !(letter || (byte >= '0' && byte <= '9') || byte == '_');
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
  }

  // A copy with the slack behind it that blocks have.
  static std::string_view lowered(std::string_view text) {
    static thread_local std::vector<char> copy;
    copy.resize(text.size() + 64);
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char byte = text[at];
      copy[at] = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
    }
    return {copy.data(), text.size()};
  }
};

}  // namespace

FANFOLD_JOB(WordCount, "wordcount", "1.0.0", "Counts how often each word occurs.")
