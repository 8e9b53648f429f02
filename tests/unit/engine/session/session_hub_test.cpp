// session_hub_test.cpp: a listening node among newcomers, strangers and fenced incarnations.
#include "engine/session/session_hub.h"

#include <gtest/gtest.h>

#include "engine/protocol/codec.h"

namespace fanfold {
namespace {

constexpr Epoch kEpoch{1, 2};

struct Hub {
  SessionHub hub{kEpoch, SessionLimits{}, HubLimits{.sessions_max = 3, .fenced_sessions_max = 2}};
  Instant now;

  static Session worker(uint64_t id) {
    return Session(Session::Side::kConnector, Epoch{}, IncarnationId{id, id}, SessionLimits{}, Instant{});
  }
  // What `from` has to say arrives; how many messages are delivered.
  std::size_t hear(Session& from) {
    std::size_t deliveries = 0;
    for (const Frame& frame : from.take_frames(now)) deliveries += hub.receive("route", frame, now).size();
    return deliveries;
  }
  // The names of the messages that go out to `to`.
  std::vector<std::string> answer(Session& to) {
    std::vector<std::string> names;
    for (const RoutedFrame& routed : hub.take_frames(now)) {
      const Result<FrameHead> head = decode_frame(routed.frame.payload);
      if (!head.ok() || head->incarnation != to.incarnation()) continue;
      for (const Delivery& delivery : to.receive(*head, {}, now))
        names.emplace_back(name_of(*decode(delivery.message)));
    }
    return names;
  }
  void join(Session& session) {
    session.send(encode(Hello{}));
    ASSERT_EQ(hear(session), 1u);
    hub.send(session.incarnation(), encode(Welcome{}));
    ASSERT_EQ(answer(session), std::vector<std::string>{"Welcome"});
  }
};

TEST(SessionHub, OpensASessionForANewcomer) {
  Hub hub;
  Session worker = Hub::worker(1);
  hub.join(worker);
  EXPECT_NE(hub.hub.find(worker.incarnation()), nullptr);
  EXPECT_EQ(worker.epoch(), kEpoch);
}

TEST(SessionHub, LosesThePeerThatBringsUnfinishedMessagesOverTheirBound) {
  Hub hub;
  hub.hub = SessionHub(kEpoch, SessionLimits{}, HubLimits{.unfinished_bytes_max = 2 * kPieceBytesMax});
  Session first = Hub::worker(1);
  Session second = Hub::worker(2);
  for (Session* session : {&first, &second}) {
    hub.join(*session);
    session->send(Bytes(3 * kPieceBytesMax));
  }
  const std::vector<Frame> of_first = first.take_frames(hub.now);
  const std::vector<Frame> of_second = second.take_frames(hub.now);
  ASSERT_EQ(of_first.size(), 3u);
  EXPECT_TRUE(hub.hub.receive("route", of_first[0], hub.now).empty());
  EXPECT_TRUE(hub.hub.receive("route", of_second[0], hub.now).empty());
  EXPECT_EQ(hub.hub.counters().sessions_overfilled, 0u);
  EXPECT_TRUE(hub.hub.receive("route", of_second[1], hub.now).empty());
  EXPECT_EQ(hub.hub.counters().sessions_overfilled, 1u);
  EXPECT_EQ(hub.hub.take_silent(), std::vector<IncarnationId>{second.incarnation()});
  EXPECT_TRUE(hub.hub.receive("route", of_first[1], hub.now).empty());
  EXPECT_EQ(hub.hub.receive("route", of_first[2], hub.now).size(), 1u);
}

TEST(SessionHub, AnswersAnUnknownIncarnationWithStartAnew) {
  Hub hub;
  Session worker = Hub::worker(1);
  hub.join(worker);
  hub.hub.close(worker.incarnation());
  worker.send(encode(Ended{}));
  EXPECT_EQ(hub.hear(worker), 0u);
  EXPECT_EQ(hub.answer(worker), std::vector<std::string>{"StartAnew"});
  EXPECT_EQ(hub.hub.counters().frames_unknown, 1u);
}

TEST(SessionHub, DeliversTheLateWordsOfAFencedIncarnationAndAnswersStartAnew) {
  Hub hub;
  Session worker = Hub::worker(1);
  hub.join(worker);
  hub.hub.fence(worker.incarnation());
  worker.send(encode(Ended{}));
  EXPECT_EQ(hub.hear(worker), 1u);
  EXPECT_EQ(hub.answer(worker), std::vector<std::string>{"StartAnew"});
}

TEST(SessionHub, AnswersEvenTheHeartbeatOfAFencedIncarnation) {
  Hub hub;
  Session worker = Hub::worker(1);
  hub.join(worker);
  hub.hub.fence(worker.incarnation());
  hub.now = hub.now + milliseconds(500);
  hub.hear(worker);
  EXPECT_EQ(hub.answer(worker), std::vector<std::string>{"StartAnew"});
}

TEST(SessionHub, LetsGoOfWhatIsUnderWayToAFencedIncarnation) {
  Hub hub;
  Session worker = Hub::worker(1);
  hub.join(worker);
  auto bytes = std::make_shared<const Bytes>(100);
  const std::weak_ptr<const Bytes> kept = bytes;
  const ByteView view(*bytes);
  hub.hub.send(worker.incarnation(), encode(ShippedBlock{}), {std::move(bytes), view});
  EXPECT_EQ(hub.answer(worker), std::vector<std::string>{"ShippedBlock"});
  EXPECT_FALSE(kept.expired()) << "it may have to be sent again";
  hub.hub.fence(worker.incarnation());
  EXPECT_TRUE(kept.expired());
  // What it acknowledges yet, and says, is taken.
  worker.send(encode(Ended{}));
  EXPECT_EQ(hub.hear(worker), 1u);
  EXPECT_EQ(hub.answer(worker), std::vector<std::string>{"StartAnew"});
}

TEST(SessionHub, AnswersWordsForAnEarlierLifeOfItselfWithStartAnew) {
  Hub hub;
  FrameHead head;
  head.epoch = {9, 9};
  head.incarnation = {1, 1};
  head.first_seq = 1;
  EXPECT_TRUE(hub.hub.receive("route", {encode_frame(head), {}}, hub.now).empty());
  EXPECT_EQ(hub.hub.take_frames(hub.now).size(), 1u);
  EXPECT_EQ(hub.hub.find({1, 1}), nullptr);
}

TEST(SessionHub, RefusesMoreSessionsThanItsBound) {
  Hub hub;
  std::vector<Session> workers;
  for (uint64_t id = 1; id <= 4; ++id) workers.push_back(Hub::worker(id));
  for (int i = 0; i < 3; ++i) hub.join(workers[static_cast<std::size_t>(i)]);
  workers[3].send(encode(Hello{}));
  EXPECT_EQ(hub.hear(workers[3]), 0u);
  EXPECT_EQ(hub.hub.counters().sessions_refused, 1u);
}

TEST(SessionHub, KeepsSoManyFencedSessionsAndForgetsTheOldest) {
  Hub hub;
  std::vector<Session> workers;
  for (uint64_t id = 1; id <= 3; ++id) {
    workers.push_back(Hub::worker(id));
    hub.join(workers.back());
    hub.hub.fence(workers.back().incarnation());
  }
  EXPECT_EQ(hub.hub.find({1, 1}), nullptr);
  EXPECT_NE(hub.hub.find({2, 2}), nullptr);
  EXPECT_NE(hub.hub.find({3, 3}), nullptr);
}

TEST(SessionHub, TellsASilenceOnce) {
  Hub hub;
  Session worker = Hub::worker(1);
  hub.join(worker);
  for (int i = 0; i < 30; ++i) {
    hub.now = hub.now + milliseconds(500);
    (void)hub.hub.take_frames(hub.now);
  }
  EXPECT_EQ(hub.hub.take_silent(), std::vector<IncarnationId>{worker.incarnation()});
  EXPECT_TRUE(hub.hub.take_silent().empty());
}

TEST(SessionHub, CountsWhatIsNoFrame) {
  Hub hub;
  EXPECT_TRUE(hub.hub.receive("route", {Bytes(10), {}}, hub.now).empty());
  EXPECT_TRUE(hub.hub.receive("route", {Bytes{}, {}}, hub.now).empty());
  EXPECT_EQ(hub.hub.counters().frames_malformed, 2u);
  EXPECT_TRUE(hub.hub.take_frames(hub.now).empty());
}

}  // namespace
}  // namespace fanfold
