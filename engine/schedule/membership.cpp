#include "engine/schedule/membership.h"

#include "engine/assertion.h"

namespace fanfold::schedule {

Member& Membership::join(IncarnationId incarnation, Hello hello) {
  FANFOLD_ASSERT(!fenced(incarnation), "a fenced incarnation does not come back");
  Member& member = members_[incarnation];
  member.incarnation = incarnation;
  member.hello = std::move(hello);
  return member;
}

Member* Membership::find(IncarnationId incarnation) {
  const auto found = members_.find(incarnation);
  return found == members_.end() ? nullptr : &found->second;
}

void Membership::fence(IncarnationId incarnation) {
  members_.erase(incarnation);
  if (!fenced_.insert(incarnation).second) return;
  fenced_order_.push_back(incarnation);
  if (fenced_order_.size() > kFencedMax) {
    fenced_.erase(fenced_order_.front());
    fenced_order_.pop_front();
  }
}

}  // namespace fanfold::schedule
