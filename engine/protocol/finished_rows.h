// finished_rows.h: rows in the parts of a bundle (BundleContent::kRows): what a worker that holds a whole run
// sends in place of columns, since there is nothing left to fold. A part is batches (row_batch.h) one after the
// other, each behind its size in 8 bytes; the rows are in no order, and a limit may have left out what nobody wants.
#pragma once

#include <fanfold/abi.h>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "engine/protocol/schema.h"

namespace fanfold {

// Adds a batch that has passed check_batch() to a part.
void append_finished(std::vector<std::byte>& part, const Schema& schema, const fanfold_batch& batch);

// Calls `read` with every batch of a part until it fails, and gives its failure, or one of bytes that
// append_finished() does not write. Bytes may be hostile.
Status read_finished(const Schema& schema, std::span<const std::byte> part,
                     const std::function<Status(const fanfold_batch&)>& read);

}  // namespace fanfold
