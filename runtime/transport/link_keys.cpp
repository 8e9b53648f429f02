#include "runtime/transport/link_keys.h"

#include <utility>

namespace fanfold::transport {

Result<std::optional<ListenerKeys>> listener_keys(const KeyPlace& place, std::vector<KeyRole> admitted) {
  if (place.folder.empty()) return std::optional<ListenerKeys>();
  Result<KeyPair> root = own_key(place.folder, KeyRole::kRoot, {});
  if (!root) return root.failure();
  Result<std::shared_ptr<Admission>> admission = Admission::from_folder(place.folder, std::move(admitted));
  if (!admission) return admission.failure();
  return std::optional(ListenerKeys{std::move(root->secret), std::move(admission).value()});
}

Result<std::optional<ConnectorKeys>> connector_keys(const KeyPlace& place, KeyRole own) {
  if (place.folder.empty()) return std::optional<ConnectorKeys>();
  Result<PublicKey> root = root_key(place.folder);
  if (!root) return root.failure();
  Result<KeyPair> key = own_key(place.folder, own, place.name);
  if (!key) return key.failure();
  return std::optional(ConnectorKeys{std::move(root->text), std::move(key).value()});
}

}  // namespace fanfold::transport
