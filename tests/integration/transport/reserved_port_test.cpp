// Ports that are taken before anybody serves them, over real sockets on loopback.
#include "runtime/transport/reserved_port.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/transport/poller.h"
#include "runtime/transport/socket.h"

namespace fanfold::transport {
namespace {

constexpr std::uint64_t kFrameBytesMax = 1 << 20;

Frame frame_of(std::byte byte) {
  return {Bytes{byte}, {}};
}

// The next frame of a listener, whose peer is known to send one.
std::byte heard_by(Listener& listener) {
  while (true) {
    if (auto received = listener.receive()) return received->frame.payload.at(0);
    Poller poller;
    poller.add_socket(listener.handle());
    poller.wait(-1);
  }
}

TEST(ReservedPort, IsTakenForEverybodyElse) {
  for (const char* host : {"127.0.0.1", "0.0.0.0", "[::1]"}) {
    const Result<ReservedPort> mine = ReservedPort::take({host, 0});
    if (!mine && host[0] == '[') GTEST_SKIP() << "this machine has no IPv6: " << mine.failure().sentence;
    ASSERT_TRUE(mine) << mine.failure().sentence;
    EXPECT_NE(mine->port(), 0);
    EXPECT_GE(mine->descriptor(), ReservedPort::kDescriptorMin);
    const TcpEndpoint same{host, mine->port()};
    const Result<ReservedPort> other = ReservedPort::take(same);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.failure().code, ExitCode::kInputOutput);
    EXPECT_NE(other.failure().sentence.find(same.text() + ": Address already in use"), std::string::npos)
        << other.failure().sentence;
  }
}

TEST(ReservedPort, IsFreeAgainWhenItIsGivenUp) {
  std::uint16_t port = 0;
  {
    const Result<ReservedPort> first = ReservedPort::take({"127.0.0.1", 0});
    ASSERT_TRUE(first);
    port = first->port();
  }
  EXPECT_TRUE(ReservedPort::take({"127.0.0.1", port}));
}

TEST(ReservedPort, OfAnAddressThatIsNotHereIsRefused) {
  for (const char* host : {"192.0.2.1", "no.host", ""}) {
    const Result<ReservedPort> reserved = ReservedPort::take({host, 0});
    ASSERT_FALSE(reserved) << host;
    EXPECT_EQ(reserved.failure().code, ExitCode::kInputOutput);
  }
}

// As a gatherer that is started again: the port outlives whoever serves it.
TEST(ReservedPort, IsServedByOneListenerAfterTheOther) {
  const Result<ReservedPort> port = ReservedPort::take({"127.0.0.1", 0});
  ASSERT_TRUE(port);
  const std::string endpoint = TcpEndpoint{"127.0.0.1", port->port()}.text();
  for (const std::byte life : {std::byte{1}, std::byte{2}}) {
    Context context;
    Result<Listener> listener =
        Listener::bind(context, endpoint, kFrameBytesMax, std::nullopt, dup(port->descriptor()));
    ASSERT_TRUE(listener) << listener.failure().sentence;
    EXPECT_EQ(listener->endpoint(), endpoint);
    Result<Connector> connector = Connector::connect(context, endpoint, kFrameBytesMax);
    ASSERT_TRUE(connector);
    connector->send(frame_of(life));
    EXPECT_EQ(heard_by(*listener), life);
  }
}

}  // namespace
}  // namespace fanfold::transport
