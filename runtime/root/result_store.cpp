#include "runtime/root/result_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "engine/quoted.h"
#include "runtime/process/nameless_file.h"

namespace fanfold::root {
namespace {

std::string cannot(const std::string& folder, const char* what, int error) {
  return std::string("the root cannot ") + what + " a result in " + quoted(folder) + ": " + std::strerror(error) +
         "; free space there, or start the root with another folder (--results)";
}

}  // namespace

Status ResultStore::check_folder(const std::string& folder) {
  const int descriptor = process::open_nameless(folder);
  if (descriptor < 0) return Failure{ExitCode::kInputOutput, cannot(folder, "keep", errno)};
  close(descriptor);
  return success();
}

ResultStore::~ResultStore() {
  thread_.end();
  for (const auto& [run, file] : files_) close(file.descriptor);
}

void ResultStore::store(schedule::StoreBatch batch) {
  thread_.ask([this, batch = std::move(batch)] { do_store(batch); });
}
void ResultStore::read(schedule::ReadBatch batch) {
  thread_.ask([this, batch] { do_read(batch); });
}
void ResultStore::drop(RunId run) {
  thread_.ask([this, run] { do_drop(run); });
}

void ResultStore::do_store(const schedule::StoreBatch& batch) {
  File& file = files_[batch.run];
  if (file.descriptor < 0) file.descriptor = process::open_nameless(folder_);
  if (file.descriptor < 0) {
    const int error = errno;
    files_.erase(batch.run);
    thread_.answer(schedule::StoreFailed{batch.run, cannot(folder_, "keep", error)});
    return;
  }
  if (batch.index == 0) {
    // A gatherer that was lost had begun it.
    if (ftruncate(file.descriptor, 0) == 0) file.size = 0;
    file.batches.clear();
  }
  if (batch.index != file.batches.size()) return;  // of one that had been begun before
  const ByteView bytes = batch.bytes.view;
  if (const int error = process::write_all(file.descriptor, file.size, bytes.data(), bytes.size()); error != 0) {
    thread_.answer(schedule::StoreFailed{batch.run, cannot(folder_, "keep", error)});
    return;
  }
  file.batches.push_back({file.size, bytes.size(), batch.rows});
  file.size += bytes.size();
  thread_.answer(schedule::BatchStored{batch.run, batch.life, batch.index});
}

void ResultStore::do_read(const schedule::ReadBatch& batch) {
  const auto found = files_.find(batch.run);
  if (found == files_.end() || batch.index >= found->second.batches.size()) return;  // dropped meanwhile
  const Batch& at = found->second.batches[batch.index];
  Bytes bytes(at.bytes);
  if (const int error = process::read_all(found->second.descriptor, at.offset, bytes.data(), bytes.size());
      error != 0) {
    thread_.answer(schedule::StoreFailed{batch.run, cannot(folder_, "read", error)});
    return;
  }
  thread_.answer(schedule::BatchRead{batch.run, batch.client, batch.index, at.rows, raw_bytes(std::move(bytes))});
}

void ResultStore::do_drop(RunId run) {
  const auto found = files_.find(run);
  if (found == files_.end()) return;
  close(found->second.descriptor);
  files_.erase(found);
}

}  // namespace fanfold::root
