#include "runtime/transport/admission.h"

#include <algorithm>
#include <utility>

namespace fanfold::transport {

Result<std::shared_ptr<Admission>> Admission::from_folder(std::string folder, std::vector<KeyRole> roles) {
  std::shared_ptr<Admission> admission(new Admission(std::move(folder), std::move(roles)));
  if (Status read = admission->read(); !read) return read.failure();
  return admission;
}

Status Admission::read() {
  Result<ListedKeys> listed = list_public_keys(folder_);
  const std::lock_guard lock(mutex_);
  readable_ = listed.ok();
  std::vector<std::string> complaints =
      listed ? std::move(listed->complaints) : std::vector<std::string>{listed.failure().sentence};
  for (const std::string& complaint : complaints) {
    if (std::find(known_complaints_.begin(), known_complaints_.end(), complaint) == known_complaints_.end()) {
      new_complaints_.push_back(complaint);
    }
  }
  known_complaints_ = std::move(complaints);
  if (!listed) return listed.failure();
  peers_.clear();
  for (PublicKey& key : listed->keys) {
    if (std::find(roles_.begin(), roles_.end(), key.role) == roles_.end()) continue;
    std::string text = key.text;
    peers_.emplace(std::move(text), std::make_shared<const PublicKey>(std::move(key)));
  }
  return success();
}

void Admission::refresh() {
  (void)read();  // what is wrong is among the complaints
}

bool Admission::admits(std::string_view key) {
  {
    const std::lock_guard lock(mutex_);
    if (readable_ && peers_.contains(key)) return true;
  }
  refusals_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

Peer Admission::find(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(key);
  return found == peers_.end() ? nullptr : found->second;
}

std::vector<std::string> Admission::take_complaints() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_complaints_, {});
}

}  // namespace fanfold::transport
