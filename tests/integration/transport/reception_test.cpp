// What a listening node makes of what peers send, over real sockets on loopback.
#include "runtime/transport/reception.h"

#include <gtest/gtest.h>

#include "runtime/process/clock.h"
#include "runtime/transport/poller.h"

namespace fanfold::transport {
namespace {

constexpr std::size_t kFramesATurn = 1024;

class ListeningNode : public testing::Test {
 protected:
  ListeningNode()
      : listener_(Listener::bind(context_, "tcp://127.0.0.1:*", kInboundFrameBytesMax).value()),
        peer_(Connector::connect(outside_, listener_.endpoint(), kInboundFrameBytesMax).value()) {}

  void send(Bytes payload) { peer_.send({std::move(payload), {}}); }
  void send_hello(IncarnationId incarnation) {
    const Bytes hello = encode(Hello{});
    FrameHead head;
    head.incarnation = incarnation;
    head.first_seq = 1;
    head.messages = {ByteView{hello}};
    send(encode_frame(head));
  }
  // One turn, once something is there; how many messages it took.
  std::size_t turn() {
    Poller poller;
    poller.add_socket(listener_.handle());
    poller.wait(-1);
    std::size_t taken = 0;
    reception_.receive(process::now(), [&](IncarnationId, const Message&, const RawBytes&) { ++taken; });
    return taken;
  }
  // Turns until an event was counted so often.
  void turn_until(LinkEvent event, std::uint64_t count) {
    while (reception_.counts()[event] < count) turn();
  }

  Context outside_;
  Context context_;
  Listener listener_;
  Connector peer_;
  PeerGuard guard_;
  SessionHub hub_{Epoch{1, 2}, SessionLimits{}, HubLimits{.sessions_max = 2}};
  Reception reception_{listener_, guard_, hub_};
};

TEST_F(ListeningNode, HandsOnMessagesAndCountsTheLink) {
  send_hello({1, 1});
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(reception_.counts()[LinkEvent::kAccepted], 1U);
  EXPECT_EQ(reception_.counts()[LinkEvent::kEstablished], 1U);
  EXPECT_TRUE(reception_.take_complaints().empty());
}

TEST_F(ListeningNode, CountsWhatIsNoneEachTimeAndTellsOfItOnceForAPeer) {
  const Bytes no_message(3, std::byte{0xc1});
  FrameHead head;
  head.first_seq = 1;
  head.messages = {ByteView{no_message}};
  for (std::uint64_t number = 1; number <= 2; ++number) {
    send(Bytes(7));
    head.incarnation = {number, number};
    send(encode_frame(head));
  }
  turn_until(LinkEvent::kMessageMalformed, 2);
  EXPECT_EQ(reception_.counts()[LinkEvent::kFrameMalformed], 2U);
  const std::vector<std::string> complaints = reception_.take_complaints();
  ASSERT_EQ(complaints.size(), 2U);
  EXPECT_EQ(complaints[0].find("a peer at 127.0.0.1 sent what is no frame"), 0U) << complaints[0];
  EXPECT_EQ(complaints[1].find("a peer at 127.0.0.1 sent what is no message"), 0U) << complaints[1];
}

TEST_F(ListeningNode, TurnsAwaySessionsThatAreTooMany) {
  for (std::uint64_t number = 1; number <= 5; ++number) send_hello({number, number});
  turn_until(LinkEvent::kSessionRefused, 3);
  EXPECT_EQ(reception_.take_complaints().size(), 1U);
}

TEST_F(ListeningNode, HearsSoManyFramesATurnAndTheRestAtTheNext) {
  constexpr std::size_t kFrames = 3 * kFramesATurn;
  for (std::size_t frame = 0; frame < kFrames; ++frame) send(Bytes(7));
  std::uint64_t before = 0;
  while (before < kFrames) {
    turn();
    const std::uint64_t heard = reception_.counts()[LinkEvent::kFrameMalformed];
    ASSERT_LE(heard - before, kFramesATurn);
    before = heard;
  }
}

}  // namespace
}  // namespace fanfold::transport
