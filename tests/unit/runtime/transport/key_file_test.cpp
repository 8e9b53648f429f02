#include "runtime/transport/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/runtime/files.h"

namespace fanfold::transport {
namespace {

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

KeyPair written(const TestFolder& folder, KeyRole role, const std::string& name) {
  Result<KeyPair> key = make_key(role, name);
  EXPECT_TRUE(key) << key.failure().sentence;
  const Status status = write_key(folder.path(), *key);
  EXPECT_TRUE(status) << status.failure().sentence;
  return std::move(key).value();
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST(KeyFile, IsReadBackAsItWasWritten) {
  const TestFolder folder;
  const KeyPair key = written(folder, KeyRole::kWorker, "w1");
  const Result<KeyPair> read = read_key(folder.path() + "/w1.key");
  ASSERT_TRUE(read) << read.failure().sentence;
  EXPECT_EQ(read->open, key.open);
  EXPECT_EQ(read->secret, key.secret);
  const Result<PublicKey> open = read_public_key(folder.path() + "/w1.pub");
  ASSERT_TRUE(open) << open.failure().sentence;
  EXPECT_EQ(*open, key.open);
}

TEST(KeyFile, KeepsTheSecretToItsOwnerAndOutOfThePublicFile) {
  const TestFolder folder;
  const mode_t before = umask(0);
  const KeyPair key = written(folder, KeyRole::kClient, "alice");
  umask(before);
  EXPECT_EQ(mode_of(folder.path() + "/alice.key"), 0600);
  EXPECT_EQ(mode_of(folder.path() + "/alice.pub"), 0644);
  EXPECT_EQ(read_bytes(folder.path() + "/alice.pub").find(key.secret), std::string::npos);
}

TEST(KeyFile, IsNeverOverwritten) {
  const TestFolder folder;
  const KeyPair first = written(folder, KeyRole::kWorker, "w1");
  const Result<KeyPair> second = make_key(KeyRole::kWorker, "w1");
  const Status again = write_key(folder.path(), *second);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.failure().code, ExitCode::kInputOutput);
  EXPECT_NE(again.failure().sentence.find("never overwritten"), std::string::npos) << again.failure().sentence;
  EXPECT_EQ(read_key(folder.path() + "/w1.key")->secret, first.secret);
}

TEST(KeyFile, IsMadeWithItsPublicHalfOrNotAtAll) {
  const TestFolder folder;
  folder.write("w1.pub", "somebody else's");
  EXPECT_FALSE(write_key(folder.path(), *make_key(KeyRole::kWorker, "w1")));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/w1.key"));
  EXPECT_EQ(read_bytes(folder.path() + "/w1.pub"), "somebody else's");
}

TEST(KeyFile, ThatOthersMayReadIsRefusedAndAGroupMay) {
  const TestFolder folder;
  written(folder, KeyRole::kWorker, "w1");
  const std::string path = folder.path() + "/w1.key";
  for (const mode_t open : {0644, 0604, 0660, 0602}) {
    chmod(path.c_str(), open);
    const Result<KeyPair> read = read_key(path);
    ASSERT_FALSE(read) << std::oct << open;
    EXPECT_NE(read.failure().sentence.find("chmod 600"), std::string::npos) << read.failure().sentence;
  }
  chmod(path.c_str(), 0440);
  EXPECT_TRUE(read_key(path));
}

TEST(KeyFile, OfTheWrongKindIsNamed) {
  const TestFolder folder;
  const KeyPair key = written(folder, KeyRole::kWorker, "w1");
  const std::string line = "fanfold-public-key worker w1 " + key.open.text + "\n";
  const auto sentence_of = [&](const std::string& bytes) {
    const std::string path = folder.write("other.key", bytes);
    chmod(path.c_str(), 0600);
    const Result<KeyPair> read = read_key(path);
    return read ? std::string() : read.failure().sentence;
  };
  EXPECT_NE(sentence_of(line).find("is a public key, where a secret one is needed"), std::string::npos);
  const std::string other_secret = make_key(KeyRole::kWorker, "w2")->secret;
  const std::string mixed = "fanfold-secret-key worker w1 " + key.open.text + " " + other_secret + "\n";
  for (const std::string& bytes : {std::string(), std::string("-----BEGIN RSA PRIVATE KEY-----\n"), mixed,
                                   std::string(100'000, '\0'), mixed.substr(0, mixed.size() - 3)}) {
    EXPECT_NE(sentence_of(bytes).find("not a key file, or is damaged"), std::string::npos) << bytes.size();
  }
  const Result<PublicKey> secret = read_public_key(folder.path() + "/w1.key");
  ASSERT_FALSE(secret);
  EXPECT_NE(secret.failure().sentence.find("is a secret key, where a public one is needed"), std::string::npos);
  EXPECT_EQ(secret.failure().sentence.find(key.secret), std::string::npos);
}

TEST(KeyFile, IsChosenByRoleAndWhereThereAreSeveralByName) {
  const TestFolder folder;
  written(folder, KeyRole::kRoot, "root");
  EXPECT_NE(own_key(folder.path(), KeyRole::kWorker, "").failure().sentence.find("there is no worker's key"),
            std::string::npos);
  const KeyPair first = written(folder, KeyRole::kWorker, "w1");
  written(folder, KeyRole::kClient, "alice");
  EXPECT_EQ(own_key(folder.path(), KeyRole::kWorker, "")->open, first.open);
  const KeyPair second = written(folder, KeyRole::kWorker, "w2");
  const Result<KeyPair> several = own_key(folder.path(), KeyRole::kWorker, "");
  ASSERT_FALSE(several);
  EXPECT_NE(several.failure().sentence.find("(w1, w2); choose one with --key-name"), std::string::npos);
  EXPECT_EQ(own_key(folder.path(), KeyRole::kWorker, "w2")->open, second.open);
  const Result<KeyPair> wrong = own_key(folder.path(), KeyRole::kWorker, "alice");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.failure().sentence.find("alice.key is a client's"), std::string::npos) << wrong.failure().sentence;
}

TEST(KeyFile, NamesAndRolesThatMakeNoSenseAreUsage) {
  for (const char* name : {"", "..", "a/b", "-x", "w 1", "w\n1"}) {
    const Result<KeyPair> key = make_key(KeyRole::kWorker, name);
    ASSERT_FALSE(key) << name;
    EXPECT_EQ(key.failure().code, ExitCode::kUsage);
  }
  EXPECT_FALSE(make_key(KeyRole::kWorker, std::string(65, 'a')));
  EXPECT_FALSE(make_key(KeyRole::kWorker, "root"));
  EXPECT_FALSE(make_key(KeyRole::kRoot, "w1"));
  EXPECT_EQ(key_role_named("admin").failure().code, ExitCode::kUsage);
}

TEST(KeyFile, AListLeavesOutWhatItCannotReadAndSaysSo) {
  const TestFolder folder;
  written(folder, KeyRole::kWorker, "w1");
  folder.write("broken.pub", "nonsense");
  const Result<ListedKeys> listed = list_public_keys(folder.path());
  ASSERT_TRUE(listed) << listed.failure().sentence;
  ASSERT_EQ(listed->keys.size(), 1U);
  EXPECT_EQ(listed->keys.front().name, "w1");
  ASSERT_EQ(listed->complaints.size(), 1U);
  EXPECT_NE(listed->complaints.front().find("broken.pub"), std::string::npos);
  EXPECT_FALSE(list_public_keys(folder.path() + "/missing"));
}

}  // namespace
}  // namespace fanfold::transport
