#include "runtime/transport/peer_guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/unit/runtime/files.h"

namespace fanfold::transport {
namespace {

constexpr IncarnationId kFirst{1, 1};
constexpr IncarnationId kSecond{1, 2};

Peer peer_of(KeyRole role, const std::string& name) {
  return std::make_shared<const PublicKey>(make_key(role, name)->open);
}

TEST(PeerGuard, HoldsAnIncarnationToTheKeyOfItsFirstFrame) {
  PeerGuard guard;
  const Peer honest = peer_of(KeyRole::kWorker, "w1");
  const Peer other = peer_of(KeyRole::kWorker, "w2");
  EXPECT_TRUE(guard.accepts(kFirst, honest));
  EXPECT_FALSE(guard.accepts(kFirst, other));
  EXPECT_TRUE(guard.accepts(kFirst, honest));
  EXPECT_TRUE(guard.accepts(kSecond, other));
  guard.forget(kFirst);
  EXPECT_TRUE(guard.accepts(kFirst, other));
}

TEST(PeerGuard, AsksNothingOfPeersWithoutKeys) {
  PeerGuard guard;
  EXPECT_TRUE(guard.accepts(kFirst, nullptr));
  EXPECT_TRUE(guard.accepts(kFirst, peer_of(KeyRole::kClient, "ann")));
  EXPECT_EQ(guard.refusal(kSecond, Role::kNode), "");
}

TEST(PeerGuard, LetsNobodyActInAnotherRoleThanItsKeys) {
  PeerGuard guard;
  const struct {
    KeyRole key;
    std::vector<Role> may;
  } rows[] = {{KeyRole::kWorker, {Role::kWorker, Role::kNode}},
              {KeyRole::kClient, {Role::kClient}},
              {KeyRole::kRoot, {Role::kGatherer}}};
  for (const auto& row : rows) {
    const IncarnationId incarnation{2, static_cast<std::uint64_t>(row.key)};
    ASSERT_TRUE(guard.accepts(incarnation, peer_of(row.key, row.key == KeyRole::kRoot ? "root" : "name")));
    for (const Role role : {Role::kWorker, Role::kGatherer, Role::kClient, Role::kNode}) {
      const bool may = std::find(row.may.begin(), row.may.end(), role) != row.may.end();
      EXPECT_EQ(guard.refusal(incarnation, role).empty(), may) << name_of(row.key) << " " << static_cast<int>(role);
    }
  }
}

TEST(PeerGuard, NamesWhoseKeyWasTakenAwayOnce) {
  const TestFolder folder;
  const KeyPair stays = *make_key(KeyRole::kWorker, "stays");
  ASSERT_TRUE(write_key(folder.path(), stays));
  const auto admission = *Admission::from_folder(folder.path(), {KeyRole::kWorker});
  PeerGuard guard;
  ASSERT_TRUE(guard.accepts(kFirst, admission->find(stays.open.text)));
  ASSERT_TRUE(guard.accepts(kSecond, peer_of(KeyRole::kWorker, "gone")));
  EXPECT_EQ(guard.take_revoked(*admission), std::vector<IncarnationId>{kSecond});
  EXPECT_TRUE(guard.take_revoked(*admission).empty());
}

}  // namespace
}  // namespace fanfold::transport
