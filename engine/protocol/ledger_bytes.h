// ledger_bytes.h: the run ledger as messages carry it: beside each bundle, in each small partial, and of the
// whole run in Finished. The root passes it on unread.
#pragma once

#include <fanfold/ledger.h>

#include <optional>

#include "engine/protocol/bytes.h"

namespace fanfold {

[[nodiscard]] inline Bytes pack_ledger(const Ledger& ledger) {
  Bytes packed(ledger.pack_size());
  ledger.pack(packed.data());
  return packed;
}

// Nothing for bytes that pack_ledger() does not write; no bytes are an empty ledger.
[[nodiscard]] inline std::optional<Ledger> unpack_ledger(ByteView packed) {
  Ledger ledger;
  if (!packed.empty() && !ledger.unpack(packed)) return std::nullopt;
  return ledger;
}

}  // namespace fanfold
