// session_test.cpp: the exactly-once link over a network that the tests play by hand.
#include "engine/session/session.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace fanfold {
namespace {

constexpr Epoch kEpoch{1, 2};
constexpr IncarnationId kIncarnation{3, 4};

Bytes bytes_of(const std::string& text) {
  Bytes bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}
std::string text_of(ByteView bytes) {
  std::string text(bytes.size(), ' ');
  std::transform(bytes.begin(), bytes.end(), text.begin(), [](std::byte b) { return static_cast<char>(b); });
  return text;
}

// Two ends of a link and the time.
struct Link {
  explicit Link(SessionLimits limits = {})
      : worker(Session::Side::kConnector, Epoch{}, kIncarnation, limits, Instant{}),
        root(Session::Side::kListener, kEpoch, kIncarnation, limits, Instant{}) {}

  std::vector<std::string> deliver(Session& to, const std::vector<Frame>& frames) {
    std::vector<std::string> texts;
    for (const Frame& frame : frames) {
      const Result<FrameHead> head = decode_frame(frame.payload);
      EXPECT_TRUE(head.ok());
      for (const Delivery& delivery : to.receive(*head, frame.raw, now)) texts.push_back(text_of(delivery.message));
    }
    return texts;
  }
  // Everything both have to say, until both are quiet.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      deliver(root, worker.take_frames(now));
      deliver(worker, root.take_frames(now));
    }
  }
  void establish() {
    worker.send(bytes_of("hello"));
    deliver(root, worker.take_frames(now));
    root.send(bytes_of("welcome"));
    deliver(worker, root.take_frames(now));
    advance(milliseconds(60));
    settle();
    ASSERT_EQ(worker.state(), Session::State::kEstablished);
  }
  void advance(Duration span) { now = now + span; }

  Instant now;
  Session worker;
  Session root;
};

using Texts = std::vector<std::string>;

TEST(Session, DeliversInOrderAndAcknowledges) {
  Link link;
  link.establish();
  for (const char* text : {"a", "b", "c"}) link.worker.send(bytes_of(text));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), (Texts{"a", "b", "c"}));
  EXPECT_EQ(link.worker.kept_messages(), 3u);
  link.advance(milliseconds(50));
  link.deliver(link.worker, link.root.take_frames(link.now));
  EXPECT_EQ(link.worker.kept_messages(), 0u);
}

TEST(Session, PutsTheMessagesOfATurnIntoOneFrame) {
  Link link;
  link.establish();
  for (int i = 0; i < 100; ++i) link.worker.send(bytes_of("word"));
  EXPECT_EQ(link.worker.take_frames(link.now).size(), 1u);
}

TEST(Session, AcknowledgesWithWhatItSendsAnyway) {
  Link link;
  link.establish();
  link.worker.send(bytes_of("ended"));
  link.deliver(link.root, link.worker.take_frames(link.now));
  link.root.send(bytes_of("verdict"));
  const std::vector<Frame> frames = link.root.take_frames(link.now);
  ASSERT_EQ(frames.size(), 1u);
  link.deliver(link.worker, frames);
  EXPECT_EQ(link.worker.kept_messages(), 0u);
}

TEST(Session, DropsRepeatedFrames) {
  Link link;
  link.establish();
  link.worker.send(bytes_of("once"));
  const std::vector<Frame> frames = link.worker.take_frames(link.now);
  EXPECT_EQ(link.deliver(link.root, frames), Texts{"once"});
  EXPECT_EQ(link.deliver(link.root, frames), Texts{});
  EXPECT_EQ(link.root.counters().messages_repeated, 1u);
}

TEST(Session, AsksForWhatWasLostAsSoonAsAGapShows) {
  Link link;
  link.establish();
  link.worker.send(bytes_of("lost"));
  (void)link.worker.take_frames(link.now);
  link.worker.send(bytes_of("next"));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), Texts{});
  // No timer has passed: the root's word about the gap is enough.
  link.deliver(link.worker, link.root.take_frames(link.now));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), (Texts{"lost", "next"}));
}

TEST(Session, ResendsWhatIsNotAcknowledgedInTime) {
  Link link;
  link.establish();
  link.worker.send(bytes_of("lost"));
  (void)link.worker.take_frames(link.now);
  link.advance(milliseconds(249));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), Texts{});
  link.advance(milliseconds(1));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), Texts{"lost"});
}

TEST(Session, ResendsMoreAndMorePatiently) {
  Link link;
  link.establish();
  link.worker.send(bytes_of("lost"));
  (void)link.worker.take_frames(link.now);
  for (const int wait : {250, 500, 1000, 2000, 4000, 4000}) {
    const uint64_t before = link.worker.counters().messages_resent;
    link.advance(milliseconds(wait - 1));
    (void)link.worker.take_frames(link.now);
    EXPECT_EQ(link.worker.counters().messages_resent, before) << wait;
    link.advance(milliseconds(1));
    (void)link.worker.take_frames(link.now);
    EXPECT_EQ(link.worker.counters().messages_resent, before + 1) << wait;
  }
}

TEST(Session, KeepsWhatExceedsTheWindowUntilItIsAcknowledged) {
  SessionLimits limits;
  limits.unacknowledged_messages_max = 2;
  Link link(limits);
  link.establish();
  for (const char* text : {"1", "2", "3", "4", "5"}) link.worker.send(bytes_of(text));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), (Texts{"1", "2"}));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), Texts{});
  link.advance(milliseconds(50));
  link.deliver(link.worker, link.root.take_frames(link.now));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), (Texts{"3", "4"}));
}

TEST(Session, IsLostWhenMoreWaitsThanItMayKeep) {
  SessionLimits limits;
  limits.kept_bytes_max = 100;
  Link link(limits);
  link.establish();
  link.worker.send(Bytes(100));
  EXPECT_EQ(link.worker.state(), Session::State::kEstablished);
  link.worker.send(Bytes(1));
  EXPECT_EQ(link.worker.state(), Session::State::kLost);
}

TEST(Session, SaysNothingButItsFirstFrameUntilThePeerAnswers) {
  Link link;
  link.worker.send(bytes_of("hello"));
  EXPECT_EQ(link.worker.take_frames(link.now).size(), 1u);
  link.worker.send(bytes_of("more"));
  link.worker.send_loose(bytes_of("chunk"));
  EXPECT_EQ(link.worker.take_frames(link.now).size(), 0u);
  link.advance(milliseconds(250));
  const std::vector<Frame> again = link.worker.take_frames(link.now);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(link.deliver(link.root, again), (Texts{"hello", "more"}));
  link.advance(milliseconds(50));
  link.deliver(link.worker, link.root.take_frames(link.now));
  EXPECT_EQ(link.deliver(link.root, link.worker.take_frames(link.now)), Texts{"chunk"});
}

TEST(Session, CarriesARawFrameBehindItsMessageWithoutCopyingIt) {
  Link link;
  link.establish();
  RawBytes raw = raw_bytes(Bytes(1000));
  const std::byte* data = raw.view.data();
  link.worker.send(bytes_of("before"));
  link.worker.send(bytes_of("batch"), std::move(raw));
  link.worker.send(bytes_of("behind"));
  const std::vector<Frame> frames = link.worker.take_frames(link.now);
  ASSERT_EQ(frames.size(), 2u);
  std::vector<Delivery> deliveries;
  for (const Frame& frame : frames) {
    for (Delivery& delivery : link.root.receive(*decode_frame(frame.payload), frame.raw, link.now)) {
      deliveries.push_back(std::move(delivery));
    }
  }
  ASSERT_EQ(deliveries.size(), 3u);
  EXPECT_FALSE(deliveries[0].raw.present());
  EXPECT_EQ(deliveries[1].raw.view.data(), data);
  EXPECT_FALSE(deliveries[2].raw.present());
}

TEST(Session, SendsALargeMessageInPiecesAndDeliversItWhole) {
  SessionLimits limits;
  limits.piece_bytes_max = 4;
  Link link(limits);
  link.establish();
  for (const char* text : {"before", "four", "five5", "0123456789ab", "", "behind"}) link.worker.send(bytes_of(text));
  const std::vector<Frame> frames = link.worker.take_frames(link.now);
  for (const Frame& frame : frames) {
    const Result<FrameHead> head = decode_frame(frame.payload);
    for (const ByteView& message : head->messages) EXPECT_LE(message.size(), 4u);
  }
  EXPECT_EQ(link.deliver(link.root, frames), (Texts{"before", "four", "five5", "0123456789ab", "", "behind"}));
  EXPECT_EQ(link.deliver(link.root, frames), Texts{});
  EXPECT_EQ(link.root.unfinished_bytes(), 0u);
}

TEST(Session, SendsLargeRawBytesInPiecesAndDeliversThemWhole) {
  SessionLimits limits;
  limits.piece_bytes_max = 4;
  limits.raw_piece_bytes_max = 3;
  for (const char* text : {"row", "0123456789"}) {
    for (const char* raw : {"", "abc", "abcdefgh"}) {
      Link link(limits);
      link.establish();
      link.worker.send(bytes_of(text), raw_bytes(bytes_of(raw)));
      link.worker.send(bytes_of("next"));
      std::vector<Delivery> deliveries;
      for (const Frame& frame : link.worker.take_frames(link.now)) {
        EXPECT_LE(frame.raw.view.size(), 3u);
        for (Delivery& one : link.root.receive(*decode_frame(frame.payload), frame.raw, link.now)) {
          deliveries.push_back(std::move(one));
        }
      }
      ASSERT_EQ(deliveries.size(), 2u);
      EXPECT_EQ(text_of(deliveries[0].message), text);
      EXPECT_EQ(text_of(deliveries[0].raw.view), raw);
      EXPECT_EQ(text_of(deliveries[1].message), "next");
      EXPECT_FALSE(deliveries[1].raw.present());
    }
  }
}

TEST(Session, IsLostToAPeerWhoseMessageDoesNotEnd) {
  SessionLimits limits;
  limits.message_bytes_max = 10;
  limits.piece_bytes_max = 5;
  limits.raw_piece_bytes_max = 5;
  for (const bool raw : {false, true}) {
    for (const std::size_t size : {10u, 11u}) {
      Link link(limits);
      link.establish();
      raw ? link.worker.send(bytes_of("m"), raw_bytes(Bytes(size))) : link.worker.send(Bytes(size));
      link.deliver(link.root, link.worker.take_frames(link.now));
      EXPECT_EQ(link.root.state(), size == 10 ? Session::State::kEstablished : Session::State::kLost) << size;
      EXPECT_EQ(link.root.unfinished_bytes(), 0u);
    }
  }
}

TEST(Session, DeliversLooseMessagesOutsideTheSequence) {
  Link link;
  link.establish();
  link.worker.send_loose(bytes_of("chunk"));
  const std::vector<Frame> frames = link.worker.take_frames(link.now);
  EXPECT_EQ(link.deliver(link.root, frames), Texts{"chunk"});
  EXPECT_EQ(link.deliver(link.root, frames), Texts{"chunk"}) << "loose messages may be repeated";
  EXPECT_EQ(link.worker.kept_messages(), 0u);
}

TEST(Session, BeatsWhenThereIsNothingToSay) {
  Link link;
  link.establish();
  EXPECT_TRUE(link.worker.take_frames(link.now).empty());
  link.advance(milliseconds(500));
  EXPECT_EQ(link.worker.take_frames(link.now).size(), 1u);
}

TEST(Session, IsSilentWhenNothingIsHeardForTooLong) {
  Link link;
  link.establish();
  for (int i = 0; i < 19; ++i) {
    link.advance(milliseconds(500));
    (void)link.root.take_frames(link.now);
    EXPECT_FALSE(link.root.silent());
  }
  for (int i = 0; i < 2; ++i) {
    link.advance(milliseconds(500));
    (void)link.root.take_frames(link.now);
  }
  EXPECT_TRUE(link.root.silent());
}

TEST(Session, AHeartbeatBreaksTheSilence) {
  Link link;
  link.establish();
  for (int i = 0; i < 100; ++i) {
    link.advance(milliseconds(500));
    link.settle();
    ASSERT_FALSE(link.root.silent());
    ASSERT_FALSE(link.worker.silent());
  }
}

TEST(Session, NoticesAPeerThatSpeaksButDoesNotHear) {
  Link link;
  link.establish();
  for (int i = 0; i < 25; ++i) {
    link.advance(milliseconds(500));
    (void)link.root.take_frames(link.now);  // these never arrive
    link.deliver(link.root, link.worker.take_frames(link.now));
  }
  EXPECT_TRUE(link.root.silent());
}

TEST(Session, APausedProcessDoesNotFindItsPeersSilent) {
  Link link;
  link.establish();
  link.advance(seconds(3600));
  (void)link.root.take_frames(link.now);
  EXPECT_FALSE(link.root.silent());
}

TEST(Session, RevivesWithTheNextFrame) {
  Link link;
  link.establish();
  for (int i = 0; i < 25; ++i) {
    link.advance(milliseconds(500));
    (void)link.root.take_frames(link.now);
  }
  ASSERT_TRUE(link.root.silent());
  // The peer's frame, and heartbeats both ways to show that it hears us.
  for (int i = 0; i < 3; ++i) {
    link.settle();
    link.advance(milliseconds(500));
  }
  EXPECT_FALSE(link.root.silent());
}

TEST(Session, IgnoresFramesOfOtherLives) {
  Link link;
  link.establish();
  FrameHead head;
  head.epoch = kEpoch;
  head.incarnation = {9, 9};
  head.first_seq = 2;
  EXPECT_TRUE(link.root.receive(head, {}, link.now).empty());
  EXPECT_EQ(link.root.counters().frames_foreign, 1u);
}

TEST(Session, IsLostToAWorkerWhenTheRootHasBegunANewLife) {
  Link link;
  link.establish();
  Session next_root(Session::Side::kListener, Epoch{7, 7}, kIncarnation, {}, link.now);
  next_root.send_loose(bytes_of("x"));
  FrameHead head;
  head.epoch = {7, 7};
  head.incarnation = kIncarnation;
  EXPECT_TRUE(link.worker.receive(head, {}, link.now).empty());
  EXPECT_EQ(link.worker.state(), Session::State::kLost);
}

TEST(Session, IgnoresAcknowledgementsOfWhatWasNeverSent) {
  Link link;
  link.establish();
  link.worker.send(bytes_of("kept"));
  FrameHead head;
  head.epoch = kEpoch;
  head.incarnation = kIncarnation;
  head.ack = 1000;
  EXPECT_TRUE(link.worker.receive(head, {}, link.now).empty());
  EXPECT_EQ(link.worker.kept_messages(), 1u);
}

TEST(Session, IsExactlyOnceAndInOrderOverAnyNetwork) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    SessionLimits limits;
    limits.piece_bytes_max = seed % 2 == 0 ? kPieceBytesMax : 1;
    Link link(limits);
    std::vector<std::pair<bool, Frame>> network;  // to the root?
    Texts to_root;
    Texts to_worker;
    int sent = 0;
    for (int turn = 0; turn < 3000 && (to_root.size() < 50 || to_worker.size() < 50); ++turn) {
      link.advance(milliseconds(static_cast<int64_t>(random() % 40)));
      if (sent < 50 && random() % 3 == 0) {
        link.worker.send(bytes_of(std::to_string(sent)));
        link.root.send(bytes_of(std::to_string(sent)));
        ++sent;
      }
      for (const bool worker_side : {true, false}) {
        for (Frame& frame : (worker_side ? link.worker : link.root).take_frames(link.now)) {
          const uint64_t fate = random() % 10;
          if (fate < 3) continue;
          if (fate == 3) network.emplace_back(worker_side, frame);
          network.emplace_back(worker_side, std::move(frame));
        }
      }
      while (!network.empty() && random() % 3 != 0) {
        const std::size_t pick = random() % network.size();
        const auto [for_root, frame] = network[pick];
        network.erase(network.begin() + static_cast<std::ptrdiff_t>(pick));
        const Texts texts = link.deliver(for_root ? link.root : link.worker, {frame});
        Texts& all = for_root ? to_root : to_worker;
        all.insert(all.end(), texts.begin(), texts.end());
      }
    }
    Texts wanted;
    for (int i = 0; i < 50; ++i) wanted.push_back(std::to_string(i));
    ASSERT_EQ(to_root, wanted) << "seed " << seed;
    ASSERT_EQ(to_worker, wanted) << "seed " << seed;
  }
}

TEST(Frame, SurvivesTheWireAndIsRefusedWhenCut) {
  FrameHead head;
  head.epoch = kEpoch;
  head.incarnation = kIncarnation;
  head.first_seq = 300;
  head.ack = 70'000;
  head.beat = 5;
  head.echo = 6;
  head.gap = true;
  head.more = true;
  const Bytes one = bytes_of("one");
  const Bytes two(500);
  head.messages = {ByteView{one}, ByteView{two}};
  const Bytes bytes = encode_frame(head);
  const Result<FrameHead> again = decode_frame(bytes);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->epoch, head.epoch);
  EXPECT_EQ(again->incarnation, head.incarnation);
  EXPECT_EQ(again->first_seq, 300u);
  EXPECT_EQ(again->ack, 70'000u);
  EXPECT_EQ(again->beat, 5u);
  EXPECT_EQ(again->echo, 6u);
  EXPECT_TRUE(again->gap);
  EXPECT_TRUE(again->more);
  ASSERT_EQ(again->messages.size(), 2u);
  EXPECT_EQ(text_of(again->messages[0]), "one");
  EXPECT_EQ(again->messages[1].size(), 500u);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(decode_frame(ByteView{bytes}.first(size)).ok()) << size;
  }
}

TEST(Frame, CarriesSoManyMessagesAndNoMore) {
  FrameHead head;
  head.incarnation = kIncarnation;
  head.messages.resize(kMessagesPerFrameMax);
  EXPECT_TRUE(decode_frame(encode_frame(head)).ok());
  head.messages.emplace_back();
  EXPECT_FALSE(decode_frame(encode_frame(head)).ok());
}

TEST(Frame, IsRefusedWhenItIsRandomBytes) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(random() % 120);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (!bytes.empty()) bytes[0] = std::byte{0x98};
    (void)decode_frame(bytes);
  }
}

}  // namespace
}  // namespace fanfold
