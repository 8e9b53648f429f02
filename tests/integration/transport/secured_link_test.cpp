// Links with keys, over real sockets on loopback.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "runtime/transport/gatekeeper.h"
#include "runtime/transport/key_file.h"
#include "runtime/transport/poller.h"
#include "runtime/transport/socket.h"
#include "tests/integration/transport/tcp_relay.h"
#include "tests/unit/runtime/files.h"

namespace fanfold::transport {
namespace {

constexpr std::uint64_t kFrameBytesMax = 1 << 20;
constexpr std::chrono::milliseconds kLongEnough{20'000};  // for what must come
constexpr std::chrono::milliseconds kShortly{300};        // for what must not

Frame frame_of(const std::string& text) {
  Frame frame;
  frame.payload.resize(text.size());
  std::memcpy(frame.payload.data(), text.data(), text.size());
  return frame;
}
std::string text_of(const Frame& frame) {
  return {reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()};
}

// What comes within the time.
template <class Socket>
auto receive_within(Socket& socket, std::chrono::milliseconds longest) -> decltype(socket.receive()) {
  const auto until = std::chrono::steady_clock::now() + longest;
  Poller poller;
  while (true) {
    if (auto received = socket.receive()) return received;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    poller.clear();
    poller.add_socket(socket.handle());
    poller.wait(left.count());
  }
}

class SecuredLink : public testing::Test {
 protected:
  SecuredLink()
      : root_(add(KeyRole::kRoot, "root")),
        worker_(add(KeyRole::kWorker, "w1")),
        client_(add(KeyRole::kClient, "alice")),
        admission_(*Admission::from_folder(folder_.path(), {KeyRole::kWorker, KeyRole::kClient})),
        gatekeeper_(context_, admission_),
        listener_(listen(context_)) {}

  KeyPair add(KeyRole role, const std::string& name) const {
    Result<KeyPair> key = make_key(role, name);
    const Status written = write_key(folder_.path(), *key);
    EXPECT_TRUE(written) << written.failure().sentence;
    return std::move(key).value();
  }
  Listener listen(Context& context) {
    Result<Listener> bound =
        Listener::bind(context, "tcp://127.0.0.1:*", kFrameBytesMax, ListenerKeys{root_.secret, admission_});
    EXPECT_TRUE(bound) << bound.failure().sentence;
    return std::move(bound).value();
  }
  Connector connect(const std::optional<ConnectorKeys>& keys) { return connect(keys, listener_.endpoint()); }
  Connector connect(const std::optional<ConnectorKeys>& keys, const std::string& endpoint) {
    Result<Connector> connected = Connector::connect(outside_, endpoint, kFrameBytesMax, keys);
    EXPECT_TRUE(connected) << connected.failure().sentence;
    return std::move(connected).value();
  }
  [[nodiscard]] ConnectorKeys keys_of(const KeyPair& own) const { return {root_.open.text, own}; }
  // A sound link still works, and nothing but what it says is heard.
  void expect_unharmed() {
    Connector good = connect(keys_of(worker_));
    good.send(frame_of("I am well"));
    const auto heard = receive_within(listener_, kLongEnough);
    ASSERT_TRUE(heard);
    EXPECT_EQ(text_of(heard->frame), "I am well");
    ASSERT_NE(heard->from, nullptr);
    EXPECT_EQ(*heard->from, worker_.open);
    EXPECT_FALSE(receive_within(listener_, kShortly));
  }

  TestFolder folder_;
  KeyPair root_;
  KeyPair worker_;
  KeyPair client_;
  Context outside_;
  Context context_;
  std::shared_ptr<Admission> admission_;
  Gatekeeper gatekeeper_;
  Listener listener_;
};

TEST_F(SecuredLink, TellsWhoSpeaksAndAnswersThem) {
  Connector worker = connect(keys_of(worker_));
  Connector client = connect(keys_of(client_));
  worker.send(frame_of("from the worker"));
  client.send(frame_of("from the client"));
  for (int left = 2; left > 0; --left) {
    const auto heard = receive_within(listener_, kLongEnough);
    ASSERT_TRUE(heard);
    ASSERT_NE(heard->from, nullptr);
    EXPECT_EQ(*heard->from, text_of(heard->frame) == "from the worker" ? worker_.open : client_.open);
    ASSERT_TRUE(listener_.send(heard->route, frame_of("heard")));
  }
  EXPECT_EQ(text_of(*receive_within(worker, kLongEnough)), "heard");
  EXPECT_EQ(text_of(*receive_within(client, kLongEnough)), "heard");
}

TEST_F(SecuredLink, IsRefusedToAKeyThatIsNotListed) {
  const KeyPair stranger = *make_key(KeyRole::kWorker, "stranger");
  Connector connector = connect(keys_of(stranger));
  connector.send(frame_of("let me in"));
  const auto until = std::chrono::steady_clock::now() + kLongEnough;
  while (admission_->refusals() == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_GT(admission_->refusals(), 0U);
  while (!connector.refused() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(connector.refused());
  expect_unharmed();
}

TEST_F(SecuredLink, ThatIsSoundIsNotCalledRefused) {
  Connector worker = connect(keys_of(worker_));
  worker.send(frame_of("hello"));
  ASSERT_TRUE(receive_within(listener_, kLongEnough));
  EXPECT_FALSE(worker.refused());
}

TEST_F(SecuredLink, IsRefusedWithoutAKeyAndToARootsOwn) {
  Connector open = connect(std::nullopt);
  open.send(frame_of("no key"));
  Connector as_root = connect(keys_of(root_));
  as_root.send(frame_of("I am the root"));
  expect_unharmed();
}

TEST_F(SecuredLink, IsRefusedToAWrongSecretBehindAListedKey) {
  KeyPair forged = worker_;
  forged.secret = make_key(KeyRole::kWorker, "forger")->secret;
  Connector connector = connect(keys_of(forged));
  connector.send(frame_of("I am w1"));
  expect_unharmed();
}

TEST_F(SecuredLink, SaysNothingToAListenerThatIsNotTheRoot) {
  // An impostor at the root's address has another key.
  ConnectorKeys keys = keys_of(worker_);
  keys.listener = make_key(KeyRole::kRoot, "root")->open.text;
  Connector connector = connect(keys);
  connector.send(frame_of("for the true root alone"));
  expect_unharmed();
}

TEST_F(SecuredLink, HearsNobodyWithoutAGatekeeper) {
  Context unguarded;
  Listener listener = listen(unguarded);
  Connector connector = connect(keys_of(worker_), listener.endpoint());
  connector.send(frame_of("is anybody there"));
  EXPECT_FALSE(receive_within(listener, kShortly));
}

TEST_F(SecuredLink, AKeyAddedLaterIsLetInWithoutANewStart) {
  const KeyPair late = add(KeyRole::kWorker, "w2");
  const auto until = std::chrono::steady_clock::now() + kLongEnough;
  while (admission_->find(late.open.text) == nullptr && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the gatekeeper reads the folder each second
  }
  Connector connector = connect(keys_of(late));
  connector.send(frame_of("late"));
  const auto heard = receive_within(listener_, kLongEnough);
  ASSERT_TRUE(heard);
  EXPECT_EQ(*heard->from, late.open);
}

TEST_F(SecuredLink, ARevokedKeyIsNotHeardOverItsLiveLinkEither) {
  Connector worker = connect(keys_of(worker_));
  Connector client = connect(keys_of(client_));
  worker.send(frame_of("before"));
  ASSERT_TRUE(receive_within(listener_, kLongEnough));
  std::filesystem::remove(folder_.path() + "/w1.pub");
  admission_->refresh();
  worker.send(frame_of("after"));
  client.send(frame_of("another's"));
  const auto heard = receive_within(listener_, kLongEnough);
  ASSERT_TRUE(heard);
  EXPECT_EQ(text_of(heard->frame), "another's");
  EXPECT_FALSE(receive_within(listener_, kShortly));
}

TEST_F(SecuredLink, AFolderThatCannotBeReadLetsNobodyNewIn) {
  Connector client = connect(keys_of(client_));
  client.send(frame_of("before"));
  ASSERT_TRUE(receive_within(listener_, kLongEnough));
  std::filesystem::rename(folder_.path(), folder_.path() + "-away");
  admission_->refresh();
  EXPECT_EQ(admission_->take_complaints().size(), 1U);
  Connector worker = connect(keys_of(worker_));
  worker.send(frame_of("new"));
  client.send(frame_of("known"));
  const auto heard = receive_within(listener_, kLongEnough);
  ASSERT_TRUE(heard);
  EXPECT_EQ(text_of(heard->frame), "known");
  EXPECT_FALSE(receive_within(listener_, kShortly));
  std::filesystem::rename(folder_.path() + "-away", folder_.path());
}

TEST_F(SecuredLink, ShowsAnEavesdropperNothingAndARepeatedHandshakeOpensNothing) {
  const std::string secret_text(400, 's');
  TcpRelay relay(port_of(listener_.endpoint()));
  {
    Connector worker = connect(keys_of(worker_), relay.endpoint());
    worker.send(frame_of(secret_text));
    const auto heard = receive_within(listener_, kLongEnough);
    ASSERT_TRUE(heard);
    ASSERT_EQ(text_of(heard->frame), secret_text);
    ASSERT_TRUE(listener_.send(heard->route, frame_of(secret_text)));
    ASSERT_TRUE(receive_within(worker, kLongEnough));
  }
  const std::string sent = relay.sent();
  ASSERT_GT(sent.size(), secret_text.size());
  EXPECT_EQ(sent.find(secret_text.substr(0, 16)), std::string::npos);
  EXPECT_EQ(relay.answered().find(secret_text.substr(0, 16)), std::string::npos);

  const int replay = connect_to(port_of(listener_.endpoint()));
  ASSERT_GE(replay, 0);
  ASSERT_EQ(send(replay, sent.data(), sent.size(), MSG_NOSIGNAL), static_cast<ssize_t>(sent.size()));
  expect_unharmed();
  close(replay);
}

TEST_F(SecuredLink, OutlivesAFloodOfHalfOpenLinksAndGarbage) {
  constexpr int kLinks = 200;
  std::vector<int> links;
  for (int at = 0; at < kLinks; ++at) {
    const int link = connect_to(port_of(listener_.endpoint()));
    if (link < 0) break;
    links.push_back(link);
    // Half of them say nothing at all.
    std::string garbage(static_cast<std::size_t>(at) * 37, static_cast<char>(at));
    if (at % 4 == 1) garbage = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    if (at % 2 == 1) (void)send(link, garbage.data(), garbage.size(), MSG_NOSIGNAL);
  }
  EXPECT_EQ(links.size(), static_cast<std::size_t>(kLinks));
  expect_unharmed();
  for (const int link : links) close(link);
}

}  // namespace
}  // namespace fanfold::transport
