// link_keys.h: the keys of a node's links, from a folder of key files (key_file.h): what its listeners and its
// connectors are given, or nothing where the node has no keys.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "runtime/transport/admission.h"
#include "runtime/transport/key_file.h"

namespace fanfold::transport {

// Of a listener that hears only whom it knows.
struct ListenerKeys {
  std::string secret;
  std::shared_ptr<Admission> admission;
};
// Of a connector: the one it speaks to, and its own.
struct ConnectorKeys {
  std::string listener;  // public
  KeyPair own;
};

// Where a node's keys are.
struct KeyPlace {
  std::string folder;     // empty: it has none
  std::string name = {};  // of its own, where there are several of its role; empty: the only one
};

// Exit 3 where a key is missing or cannot be used.
Result<std::optional<ListenerKeys>> listener_keys(const KeyPlace& place, std::vector<KeyRole> admitted);
Result<std::optional<ConnectorKeys>> connector_keys(const KeyPlace& place, KeyRole own);

}  // namespace fanfold::transport
