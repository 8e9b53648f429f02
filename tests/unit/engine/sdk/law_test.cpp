// law_test.cpp: the checker finds folds that break the law, each in one way, and says how.
#include <fanfold/bytes.h>
#include <fanfold/law.h>
#include <fanfold/sum.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/sdk/sharding.h"

namespace fanfold {
namespace {

// The pairwise update of Chan, Golub and LeVeque: right but for rounding, which the order decides.
struct PairwiseVariance {
  static constexpr std::size_t packed_bytes = 24;
  double n = 0;
  double mean = 0;
  double m2 = 0;
  void add(double value) { merge({1, value, 0}); }
  void merge(PairwiseVariance other) {
    if (other.n == 0) return;
    const double total = n + other.n;
    const double delta = other.mean - mean;
    mean = (n * mean + other.n * other.mean) / total;
    m2 += other.m2 + delta * delta * n * other.n / total;
    n = total;
  }
  std::size_t pack_size() const { return packed_bytes; }
  void pack(std::byte* out) const {
    for (const double value : {n, mean, m2}) {
      store_little(out, std::bit_cast<std::uint64_t>(value));
      out += 8;
    }
  }
  bool unpack(std::span<const std::byte> in) {
    ByteReader reader(in);
    for (double* value : {&n, &mean, &m2}) *value = std::bit_cast<double>(reader.integer<std::uint64_t>());
    return reader.done();
  }
};

// Text of which the left one stands first.
struct LeftBiasedConcat {
  static constexpr std::size_t packed_bytes = kVariableSize;
  std::vector<std::byte> bytes;
  void merge(LeftBiasedConcat other) { bytes.insert(bytes.end(), other.bytes.begin(), other.bytes.end()); }
  std::size_t pack_size() const { return 1 + bytes.size(); }
  void pack(std::byte* out) const {
    *out++ = static_cast<std::byte>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), out);
  }
  bool unpack(std::span<const std::byte> in) {
    if (in.empty() || in.size() != 1 + static_cast<std::size_t>(in[0])) return false;
    bytes.assign(in.begin() + 1, in.end());
    return true;
  }
};

// A sum of 32 bits; each flag breaks it in one way.
enum class Fault { kNone, kIdentity, kTruncation, kTail, kSize, kUnwritten, kRoundTrip, kRefuses, kNarrow };
template <Fault kFault>
struct FaultySum {
  static constexpr std::size_t packed_bytes = kFault == Fault::kSize ? 8 : 4;
  std::uint32_t sum = kFault == Fault::kIdentity ? 1 : 0;
  void merge(FaultySum other) { sum += other.sum; }
  std::uint64_t narrowed() const requires(kFault == Fault::kNarrow) { return sum % 1000; }
  static FaultySum widened(std::uint64_t bits) requires(kFault == Fault::kNarrow) {
    return {static_cast<std::uint32_t>(bits)};
  }
  std::size_t pack_size() const { return 4; }
  void pack(std::byte* out) const {
    store_little(out, sum);
    if (kFault == Fault::kUnwritten) *--out = std::byte{1};
  }
  bool unpack(std::span<const std::byte> in) {
    if (kFault == Fault::kRefuses) return false;
    if (kFault == Fault::kTruncation && in.size() == 3) return true;
    if (in.size() < 4 || (in.size() > 4 && kFault != Fault::kTail)) return false;
    sum = load_little<std::uint32_t>(in.data());
    if (kFault == Fault::kRoundTrip) sum &= 0xffffU;
    return true;
  }
};

template <Fault kFault>
std::string check_fault() {
  return check_law([](std::uint64_t seed) {
           FaultySum<kFault> fold;
           fold.sum = static_cast<std::uint32_t>(seed);
           return fold;
         })
      .value_or("");
}

TEST(LawChecker, FindsThatThePairwiseVarianceIsNotAssociative) {
  const auto failure = check_law([](std::uint64_t seed) {
    Random random(seed);
    PairwiseVariance fold;
    for (std::size_t n = 1 + below(random, 5); n > 0; --n) fold.add(static_cast<double>(below(random, 1000)) / 10);
    return fold;
  });
  ASSERT_TRUE(failure.has_value());
  EXPECT_NE(failure->find("merging in another order and shape gives other bytes"), std::string::npos) << *failure;
}

TEST(LawChecker, FindsThatALeftBiasedConcatIsNotCommutative) {
  const auto failure = check_law([](std::uint64_t seed) {
    LeftBiasedConcat fold;
    fold.bytes.assign(seed % 4, static_cast<std::byte>(seed >> 8));
    return fold;
  });
  ASSERT_TRUE(failure.has_value());
  EXPECT_NE(failure->find("merge is not commutative"), std::string::npos) << *failure;
  EXPECT_NE(failure->find("seeds"), std::string::npos) << *failure;
}

TEST(LawChecker, NamesWhatIsWrong) {
  EXPECT_EQ(check_fault<Fault::kNone>(), "");
  EXPECT_NE(check_fault<Fault::kIdentity>().find("identity"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kTruncation>().find("unpack() accepts the first 3 of 4 bytes"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kTail>().find("behind the end"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kSize>().find("not the fixed packed_bytes of 8"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kUnwritten>().find("does not write exactly pack_size() bytes"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kRoundTrip>().find("changes the bytes"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kNarrow>().find("widened() does not make"), std::string::npos);
  EXPECT_NE(check_fault<Fault::kRefuses>().find("refuses what pack() wrote"), std::string::npos);
}

TEST(LawChecker, TakesPartialsThatAreThere) {
  std::vector<LeftBiasedConcat> partials(3);
  partials[1].bytes = {std::byte{1}};
  partials[2].bytes = {std::byte{2}};
  EXPECT_TRUE(check_law(std::span<const LeftBiasedConcat>(partials)).has_value());
  std::vector<DoubleSum> sums(3);
  sums[0].add(0.1);
  sums[1].add(1e300);
  EXPECT_EQ(check_law(std::span<const DoubleSum>(sums)).value_or(""), "");
  EXPECT_TRUE(check_law(std::span<const DoubleSum>()).has_value());
}

TEST(LawChecker, FindsTheSameForTheSameSeed) {
  const auto check = [](std::uint64_t seed) {
    return check_law([](std::uint64_t n) { return LeftBiasedConcat{{static_cast<std::byte>(n)}}; }, {.seed = seed});
  };
  EXPECT_EQ(check(7), check(7));
}

}  // namespace
}  // namespace fanfold
