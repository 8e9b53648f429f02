#include "engine/protocol/finished_rows.h"

#include <fanfold/bytes.h>

#include "engine/protocol/row_batch.h"

namespace fanfold {

namespace {

constexpr std::size_t kSizeBytes = 8;

}  // namespace

void append_finished(std::vector<std::byte>& part, const Schema& schema, const fanfold_batch& batch) {
  const std::vector<std::byte> packed = pack_batch(schema, batch);
  const std::size_t at = part.size();
  part.resize(at + kSizeBytes);
  store_little(part.data() + at, static_cast<std::uint64_t>(packed.size()));
  part.insert(part.end(), packed.begin(), packed.end());
}

Status read_finished(const Schema& schema, std::span<const std::byte> part,
                     const std::function<Status(const fanfold_batch&)>& read) {
  while (!part.empty()) {
    std::uint64_t size = 0;
    if (part.size() >= kSizeBytes) size = load_little<std::uint64_t>(part.data());
    if (part.size() < kSizeBytes || size > part.size() - kSizeBytes) {
      return Failure{ExitCode::kInternal, "a part of finished rows ends within a batch"};
    }
    const Result<RowBatch> batch = unpack_batch(schema, part.subspan(kSizeBytes, size));
    if (!batch) return batch.failure();
    if (Status status = read(batch->view()); !status) return status;
    part = part.subspan(kSizeBytes + size);
  }
  return success();
}

}  // namespace fanfold
