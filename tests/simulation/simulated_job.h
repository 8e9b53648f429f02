// simulated_job.h: the job that simulated workers map and gatherers finish: sums by key, and beside them which shards
// are in a partial, which no real partial knows.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "engine/instant.h"
#include "engine/protocol/bytes.h"
#include "engine/protocol/identity.h"

namespace fanfold::simulation {

// One run of it, as drawn.
struct SimulatedJob {
  RunId run{7, 7};
  uint64_t shards = 0;
  uint64_t keys = 1;
  uint64_t filler_bytes = 0;  // in each bundle, so that it takes many chunks
  Duration shard_time = {};
  double fails_lease = 0;  // how likely a lease is to fail, or to be sealed early
  double seals_early = 0;
  uint64_t shipped_bytes = 0;  // that its client sends to the root; 0: workers have the input
};

// What its client ships: a byte of it.
[[nodiscard]] inline std::byte shipped_byte(RunId run, uint64_t offset) {
  return static_cast<std::byte>((offset * 0x9e3779b97f4a7c15u >> 32) + run.low);
}
[[nodiscard]] inline Bytes shipped_bytes(RunId run, uint64_t offset, uint64_t bytes) {
  Bytes block(bytes);
  for (uint64_t at = 0; at < bytes; ++at) block[at] = shipped_byte(run, offset + at);
  return block;
}

struct Partial {
  std::map<uint64_t, uint64_t> sums;
  std::vector<Interval> shards;

  void map(uint64_t shard, uint64_t keys) {
    const uint64_t mixed = (shard + 1) * 0x9e3779b97f4a7c15u;
    sums[(mixed >> 32) % keys] += mixed & 0xffff;
  }
  void merge(const Partial& other) {
    for (const auto& [key, sum] : other.sums) sums[key] += sum;
    shards.insert(shards.end(), other.shards.begin(), other.shards.end());
  }
  [[nodiscard]] Bytes pack() const {
    std::vector<uint64_t> words{sums.size(), shards.size()};
    for (const auto& [key, sum] : sums) words.insert(words.end(), {key, sum});
    for (const Interval& interval : shards) words.insert(words.end(), {interval.begin, interval.end});
    Bytes bytes((words.size() * 8 + 63) / 64 * 64);
    std::memcpy(bytes.data(), words.data(), words.size() * 8);
    return bytes;
  }
  static Partial unpack(ByteView bytes) {
    std::vector<uint64_t> words(bytes.size() / 8);
    std::memcpy(words.data(), bytes.data(), words.size() * 8);
    Partial partial;
    const uint64_t* word = words.data() + 2;
    for (uint64_t i = 0; i < words[0]; ++i, word += 2) partial.sums[word[0]] += word[1];
    for (uint64_t i = 0; i < words[1]; ++i, word += 2) partial.shards.push_back({word[0], word[1]});
    return partial;
  }
};

// What one thread makes of the whole input.
[[nodiscard]] inline std::map<uint64_t, uint64_t> twin_of(const SimulatedJob& job) {
  Partial twin;
  for (uint64_t shard = 0; shard < job.shards; ++shard) twin.map(shard, job.keys);
  return std::move(twin.sums);
}

[[nodiscard]] inline uint64_t checksum(ByteView bytes) {
  uint64_t sum = 1469598103934665603u;
  for (const std::byte byte : bytes) sum = (sum ^ static_cast<uint64_t>(byte)) * 1099511628211u;
  return sum;
}

}  // namespace fanfold::simulation
