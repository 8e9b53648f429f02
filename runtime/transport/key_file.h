// key_file.h: CURVE keys of a fleet as files of a folder. NAME.key holds a node's secret, for its owner alone;
// NAME.pub is the line by which others know it. On the root's host the folder is the list of who is admitted: every
// NAME.pub in it, and taking one away revokes it. A worker or client needs its own NAME.key and the root's root.pub.
//
// Keys are Curve25519, written as ZeroMQ writes them (Z85, 40 characters). Errors: exit 3 and the file's name; no
// sentence ever holds a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/failure.h"

namespace fanfold::transport {

enum class KeyRole : std::uint8_t { kRoot = 0, kWorker = 1, kClient = 2 };
[[nodiscard]] std::string_view name_of(KeyRole role);
// Exit 2 where there is no such role.
Result<KeyRole> key_role_named(std::string_view name);

// How others know a node.
struct PublicKey {
  KeyRole role = KeyRole::kWorker;
  std::string name;
  std::string text;  // 40 characters of Z85
  bool operator==(const PublicKey&) const = default;
};
struct KeyPair {
  PublicKey open;
  std::string secret;  // 40 characters of Z85
};

// A new key. A root's is called "root"; other names are letters, digits, '.', '_' and '-'. Exit 2 for another.
Result<KeyPair> make_key(KeyRole role, const std::string& name);
// NAME.key (mode 0600) and NAME.pub, made together or not at all; neither may exist. The folder is made (0700) if
// it is missing.
Status write_key(const std::string& folder, const KeyPair& key);

// A key file that others than its owner and group may read, or any but its owner may write, is refused.
Result<KeyPair> read_key(const std::string& path);
Result<PublicKey> read_public_key(const std::string& path);

// The key of `role` in a folder: the one called `name`, or with an empty name the only one there is.
Result<KeyPair> own_key(const std::string& folder, KeyRole role, const std::string& name);
// root.pub.
Result<PublicKey> root_key(const std::string& folder);

// The public keys of a folder, by name; what cannot be read is left out and told as a sentence each.
struct ListedKeys {
  std::vector<PublicKey> keys;
  std::vector<std::string> complaints;
};
Result<ListedKeys> list_public_keys(const std::string& folder);

}  // namespace fanfold::transport
