// codec_test.cpp: every message survives the wire unchanged, and nothing else is taken for a message. The
// messages are filled from their own lists of fields, so a new field is tested by being there.
#include "engine/protocol/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/protocol/codec_fields.h"

namespace fanfold {
namespace {

using Random = std::mt19937_64;

// ---- fills any field with something that is seldom its default ----------------------------------

void fill(bool& value, Random& random) {
  value = random() % 2 == 0;
}
template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) void fill(T& value, Random& random) {
  value = static_cast<T>(random() >> random() % 64);
}
template <class T>
requires std::is_enum_v<T>
void fill(T& value, Random& random) {
  value = static_cast<T>(random() % (static_cast<uint64_t>(kLastOf<T>) + 1));
}
void fill(std::string& value, Random& random) {
  value.resize(random() % 20);
  for (char& c : value) c = static_cast<char>(random());
}
void fill(Bytes& value, Random& random) {
  value.resize(random() % 300);
  for (std::byte& byte : value) byte = static_cast<std::byte>(random());
}
void fill(Duration& value, Random& random) {
  value.nanoseconds = static_cast<int64_t>(random() >> random() % 64);
}
template <class Tag>
void fill(Id64<Tag>& value, Random& random) {
  value.value = random() >> random() % 64;
}
template <class Tag>
void fill(Id128<Tag>& value, Random& random) {
  value = {random(), random()};
}
template <class T>
void fill(std::optional<T>& value, Random& random);
template <class T>
void fill(std::vector<T>& values, Random& random);
template <class T>
requires std::is_class_v<T>
void fill(T& value, Random& random) {
  codec::fields_of(value, [&](auto&... field) { (fill(field, random), ...); });
}
template <class T>
void fill(std::optional<T>& value, Random& random) {
  if (random() % 2 == 0) fill(value.emplace(), random);
}
template <class T>
void fill(std::vector<T>& values, Random& random) {
  values.resize(random() % 4);
  for (T& value : values) fill(value, random);
}

template <std::size_t I>
Message filled(Random& random) {
  using T = std::variant_alternative_t<I, Message>;
  T message;
  fill(message, random);
  // Of another version only the first fields are read: a test of its own.
  if constexpr (std::is_same_v<T, Hello> || std::is_same_v<T, Refused>) message.protocol_version = kProtocolVersion;
  return message;
}
template <std::size_t... I>
std::vector<Message> every_message(Random& random, std::index_sequence<I...>) {
  return {filled<I>(random)...};
}
std::vector<Message> every_message(uint64_t seed) {
  Random random(seed);
  return every_message(random, std::make_index_sequence<std::variant_size_v<Message>>{});
}

// ---- the contract -------------------------------------------------------------------------------

TEST(Codec, GivesBackEveryMessageUnchanged) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    for (const Message& message : every_message(seed)) {
      const Result<Message> again = decode(encode(message));
      ASSERT_TRUE(again.ok()) << name_of(message) << ": " << again.failure().sentence;
      ASSERT_TRUE(*again == message) << name_of(message);
    }
  }
}

TEST(Codec, RefusesEveryProperPrefixOfEveryMessage) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    for (const Message& message : every_message(seed)) {
      const Bytes bytes = encode(message);
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        ASSERT_FALSE(decode(ByteView{bytes}.first(size)).ok()) << name_of(message) << " cut to " << size;
      }
    }
  }
}

TEST(Codec, RefusesBytesBehindAMessage) {
  for (const Message& message : every_message(1)) {
    Bytes bytes = encode(message);
    bytes.push_back(std::byte{0xc0});
    EXPECT_FALSE(decode(bytes).ok()) << name_of(message);
  }
}

TEST(Codec, NamesEveryMessage) {
  std::vector<std::string> names;
  for (const Message& message : every_message(1)) names.emplace_back(name_of(message));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

// What an older or newer release may say: fields that we do not have, and some of ours missing.
Bytes foreign(std::initializer_list<int> front, std::initializer_list<int> rest) {
  Bytes bytes;
  for (const int byte : front) bytes.push_back(static_cast<std::byte>(byte));
  for (const int byte : rest) bytes.push_back(static_cast<std::byte>(byte));
  return bytes;
}

TEST(Codec, KnowsAPeerOfAnotherVersionByTheFirstFieldsOfItsHello) {
  for (const auto& rest : {std::initializer_list<int>{}, {0xc0}, {0x92, 0x01, 0x80}, {0xc3}}) {
    const int fields = 0x94 + (rest.size() == 0 ? 0 : 1);
    // [1, version 7, role 1, "old", ...]
    const Result<Message> message = decode(foreign({fields, 0x01, 0x07, 0x01, 0xa3, 'o', 'l', 'd'}, rest));
    ASSERT_TRUE(message.ok()) << message.failure().sentence;
    const Hello& hello = std::get<Hello>(*message);
    EXPECT_EQ(hello.protocol_version, 7U);
    EXPECT_EQ(hello.role, Role::kGatherer);
    EXPECT_EQ(hello.name, "old");
  }
  // A role that does not exist here yet.
  EXPECT_TRUE(decode(foreign({0x94, 0x01, 0x07, 0x7f, 0xa3, 'n', 'e', 'w'}, {})).ok());
  EXPECT_FALSE(decode(foreign({0x95, 0x01, 0x07, 0x01, 0xa3, 'c', 'u', 't'}, {})).ok());
  EXPECT_FALSE(decode(foreign({0x94, 0x01, 0x07, 0x01, 0xa3, 'o', 'l', 'd'}, {0x01})).ok()) << "bytes behind it";
  EXPECT_FALSE(decode(foreign({0x93, 0x01, 0x07, 0x01}, {})).ok()) << "no name";
}

TEST(Codec, KnowsTheRefusalOfAPeerOfAnotherVersion) {
  const Result<Message> message = decode(foreign({0x95, 0x03, 0x07, 0x02, 0xa2, 'n', 'o'}, {0xc0}));
  ASSERT_TRUE(message.ok()) << message.failure().sentence;
  EXPECT_EQ(std::get<Refused>(*message), (Refused{7, 2, "no"}));
}

TEST(Codec, ReadsNothingElseOfAnotherVersion) {
  // An OpenRun has no version of its own: a field too many is refused, whoever says it.
  EXPECT_FALSE(decode(foreign({0x93, 0x1f, 0xc0}, {0xc0})).ok());
}

TEST(Codec, RefusesUnknownTypesAndSaysWhich) {
  const Bytes bytes{std::byte{0x91}, std::byte{0x7f}};
  const Result<Message> message = decode(bytes);
  ASSERT_FALSE(message.ok());
  EXPECT_NE(message.failure().sentence.find("127"), std::string::npos);
}

TEST(Codec, RefusesAMessageWithAFieldTooFewOrTooMany) {
  // BundleDone is [21, run, seq].
  const Bytes good = encode(BundleDone{RunId{1, 2}, BundleSeq{3}});
  ASSERT_EQ(good.front(), std::byte{0x93});
  Bytes few(good.begin(), good.end() - 1);
  few.front() = std::byte{0x92};
  EXPECT_FALSE(decode(few).ok());
  Bytes many = good;
  many.front() = std::byte{0x94};
  many.push_back(std::byte{0x01});
  EXPECT_FALSE(decode(many).ok());
}

// A message whose last field is replaced by other bytes.
Bytes with_last_byte_replaced(Bytes bytes, std::initializer_list<int> by) {
  bytes.pop_back();
  for (const int byte : by) bytes.push_back(static_cast<std::byte>(byte));
  return bytes;
}

TEST(Codec, RefusesTypesThatMessagesDoNotUse) {
  const Bytes good = encode(BundleDone{RunId{1, 2}, BundleSeq{3}});
  EXPECT_TRUE(decode(with_last_byte_replaced(good, {0x04})).ok());
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0xd4, 0x01, 0x10})).ok()) << "extension";
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0xd6, 0xff, 0, 0, 0, 1})).ok()) << "timestamp";
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0xff})).ok()) << "negative";
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0})).ok()) << "float";
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0x80})).ok()) << "map";
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0xc0})).ok()) << "nil";
}

TEST(Codec, RefusesNumbersThatDoNotFitTheirField) {
  // Chunk is [15, run, seq, index] with an index of 32 bits.
  const Bytes good = encode(Chunk{RunId{1, 2}, BundleSeq{3}, 4});
  EXPECT_TRUE(decode(with_last_byte_replaced(good, {0xce, 0xff, 0xff, 0xff, 0xff})).ok());
  EXPECT_FALSE(decode(with_last_byte_replaced(good, {0xcf, 0, 0, 0, 1, 0, 0, 0, 0})).ok());
}

TEST(Codec, RefusesEnumeratorsBeyondTheLast) {
  Hello hello;
  hello.role = Role::kClient;
  const Bytes good = encode(hello);
  ASSERT_TRUE(decode(good).ok());
  Bytes bad = good;
  // [1, version, role, ...]: one byte each at the front.
  ASSERT_EQ(bad[3], static_cast<std::byte>(Role::kClient));
  bad[3] = std::byte{9};
  EXPECT_FALSE(decode(bad).ok());
}

TEST(Codec, RefusesIdentitiesOfAnotherLength) {
  Bytes bytes = encode(CloseRun{RunId{1, 2}});  // [31, bin16]
  ASSERT_EQ(bytes[3], std::byte{16});
  bytes[3] = std::byte{15};
  bytes.pop_back();
  EXPECT_FALSE(decode(bytes).ok());
}

TEST(Codec, CarriesListsUpToTheirBoundAndRefusesMore) {
  Verdicts verdicts{RunId{1, 2}, std::vector<LeaseId>(kVerdictsPerMessageMax, LeaseId{5}), {}};
  EXPECT_TRUE(decode(encode(verdicts)).ok());
  verdicts.awarded.push_back(LeaseId{6});
  EXPECT_FALSE(decode(encode(verdicts)).ok());

  Grant grant{RunId{1, 2}, {}, std::vector<LeaseGrant>(kLeasesPerGrantMax)};
  EXPECT_TRUE(decode(encode(grant)).ok());
  grant.leases.emplace_back();
  EXPECT_FALSE(decode(encode(grant)).ok());

  Staged staged;
  staged.manifest.resize(kLeasesPerBundleMax);
  EXPECT_TRUE(decode(encode(staged)).ok());
  staged.manifest.emplace_back();
  EXPECT_FALSE(decode(encode(staged)).ok());

  Runs runs;
  runs.runs.resize(kRunRecordsMax);
  EXPECT_TRUE(decode(encode(runs)).ok());
  runs.runs.emplace_back();
  EXPECT_FALSE(decode(encode(runs)).ok());

  Nodes nodes;
  nodes.nodes.resize(kNodeRecordsMax);
  EXPECT_TRUE(decode(encode(nodes)).ok());
  nodes.nodes.emplace_back();
  EXPECT_FALSE(decode(encode(nodes)).ok());

  RunOver over;
  over.processes.resize(kProcessAccountsMax);
  EXPECT_TRUE(decode(encode(over)).ok());
  over.processes.emplace_back();
  EXPECT_FALSE(decode(encode(over)).ok());

  Failed failed;
  failed.cause.message.assign(kTextBytesMax, 'x');
  EXPECT_TRUE(decode(encode(failed)).ok());
  failed.cause.message.push_back('x');
  EXPECT_FALSE(decode(encode(failed)).ok());
}

TEST(Codec, AManifestAtItsBoundFitsWhatARootAccepts) {
  BundleOffer offer;
  offer.manifest.resize(kLeasesPerBundleMax, ManifestEntry{LeaseId{~uint64_t{0}}, {~uint64_t{0} - 1, ~uint64_t{0}}});
  offer.parts.resize(std::size_t{1} << kLog2PartsMax, PartExtent{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}});
  EXPECT_LT(encode(offer).size() * 4, kInboundFrameBytesMax);
}

TEST(Codec, NeitherCrashesNorGrowsOnRandomBytes) {
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(random() % 200);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (bytes.size() > 2) {
      // The head of some message, so that its fields are reached.
      bytes[0] = static_cast<std::byte>(0x90 | random() % 16);
      bytes[1] = static_cast<std::byte>(random() % 60);
    }
    (void)decode(bytes);
  }
}

TEST(Codec, NeitherCrashesNorGrowsOnDamagedMessages) {
  Random random(8);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    for (const Message& message : every_message(seed)) {
      Bytes bytes = encode(message);
      for (int damage = 0; damage < 4; ++damage) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      const Result<Message> read = decode(bytes);
      // What is still a message is written back as one.
      if (read) {
        EXPECT_TRUE(decode(encode(*read)).ok()) << name_of(message);
      }
    }
  }
}

TEST(Cause, BlamesTheJobForItsOwnCrashesAndTheMachineForKills) {
  const auto signalled = [](int signal) {
    Cause cause;
    cause.kind = CauseKind::kSignal;
    cause.signal = signal;
    return blame_of(cause);
  };
  for (const int signal : {4, 6, 7, 8, 11}) EXPECT_EQ(signalled(signal), Blame::kJob) << signal;
  for (const int signal : {9, 15}) EXPECT_EQ(signalled(signal), Blame::kMachine) << signal;
  Cause exited;
  exited.kind = CauseKind::kExit;
  EXPECT_EQ(blame_of(exited), Blame::kJob);
  Cause silent;
  silent.kind = CauseKind::kSilence;
  EXPECT_EQ(blame_of(silent), Blame::kMachine);
}

TEST(Cause, NamesTheSignalInItsSentence) {
  Cause cause;
  cause.kind = CauseKind::kSignal;
  cause.signal = 11;
  EXPECT_EQ(describe(cause), "ended by signal 11 (SEGV)");
}

TEST(Identity, IsReadFromThirtyTwoHexadecimalDigitsAndNothingElse) {
  RunId run;
  ASSERT_TRUE(from_text("0123456789abcdeffedcba9876543210", run));
  EXPECT_EQ(run, (RunId{0x0123456789abcdefu, 0xfedcba9876543210u}));
  for (const char* text : {"", "0123456789abcdeffedcba987654321", "0123456789abcdeffedcba98765432100",
                           "0123456789ABCDEFfedcba9876543210", "0123456789abcdeffedcba987654321 "}) {
    EXPECT_FALSE(from_text(text, run)) << text;
  }
}

TEST(Identity, IsWrittenAsThirtyTwoHexadecimalDigits) {
  EXPECT_EQ(to_text(RunId{0x0123456789abcdefu, 0xfedcba9876543210u}), "0123456789abcdeffedcba9876543210");
}

}  // namespace
}  // namespace fanfold
