#include "runtime/root/result_store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "engine/quoted.h"

namespace fanfold::root {
namespace {

int open_nameless(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return descriptor;
  // A file system without files that have no name.
  std::string path = folder + "/fanfold-result-XXXXXX";
  const int named = mkostemp(path.data(), O_CLOEXEC);
  if (named >= 0) unlink(path.c_str());
  return named;
}

std::string cannot(const std::string& folder, const char* what, int error) {
  return std::string("the root cannot ") + what + " a result in " + quoted(folder) + ": " + std::strerror(error) +
         "; free space there, or start the root with another folder (--results)";
}

}  // namespace

Status ResultStore::check_folder(const std::string& folder) {
  const int descriptor = open_nameless(folder);
  if (descriptor < 0) return Failure{ExitCode::kInputOutput, cannot(folder, "keep", errno)};
  close(descriptor);
  return success();
}

ResultStore::ResultStore(std::string folder) : folder_(std::move(folder)), thread_([this] { run(); }) {}

ResultStore::~ResultStore() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  for (const auto& [run, file] : files_) close(file.descriptor);
}

void ResultStore::store(schedule::StoreBatch batch) {
  ask([this, batch = std::move(batch)] { do_store(batch); });
}
void ResultStore::read(schedule::ReadBatch batch) {
  ask([this, batch] { do_read(batch); });
}
void ResultStore::drop(RunId run) {
  ask([this, run] { do_drop(run); });
}

std::vector<schedule::FleetEvent> ResultStore::take_answers() {
  waker_.clear();
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void ResultStore::ask(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void ResultStore::answer(schedule::FleetEvent event) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(event));
  }
  waker_.wake();
}

void ResultStore::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      if (ending_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void ResultStore::do_store(const schedule::StoreBatch& batch) {
  File& file = files_[batch.run];
  if (file.descriptor < 0) file.descriptor = open_nameless(folder_);
  if (file.descriptor < 0) {
    const int error = errno;
    files_.erase(batch.run);
    answer(schedule::ResultNotStored{batch.run, cannot(folder_, "keep", error)});
    return;
  }
  if (batch.index == 0) {
    // A gatherer that was lost had begun it.
    if (ftruncate(file.descriptor, 0) == 0) file.size = 0;
    file.batches.clear();
  }
  if (batch.index != file.batches.size()) return;  // of one that had been begun before
  const ByteView bytes = batch.bytes.view;
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t put = pwrite(file.descriptor, bytes.data() + written, bytes.size() - written,
                               static_cast<off_t>(file.size + written));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      answer(schedule::ResultNotStored{batch.run, cannot(folder_, "keep", put < 0 ? errno : ENOSPC)});
      return;
    }
    written += static_cast<std::size_t>(put);
  }
  file.batches.push_back({file.size, bytes.size(), batch.rows});
  file.size += bytes.size();
  answer(schedule::BatchStored{batch.run, batch.life, batch.index});
}

void ResultStore::do_read(const schedule::ReadBatch& batch) {
  const auto found = files_.find(batch.run);
  if (found == files_.end() || batch.index >= found->second.batches.size()) return;  // dropped meanwhile
  const Batch& at = found->second.batches[batch.index];
  auto bytes = std::make_shared<Bytes>(at.bytes);
  for (std::size_t done = 0; done < bytes->size();) {
    const ssize_t got = pread(found->second.descriptor, bytes->data() + done, bytes->size() - done,
                              static_cast<off_t>(at.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      answer(schedule::ResultNotStored{batch.run, cannot(folder_, "read", got < 0 ? errno : EIO)});
      return;
    }
    done += static_cast<std::size_t>(got);
  }
  const ByteView view(*bytes);
  answer(schedule::BatchRead{batch.run, batch.client, batch.index, at.rows, RawBytes{std::move(bytes), view}});
}

void ResultStore::do_drop(RunId run) {
  const auto found = files_.find(run);
  if (found == files_.end()) return;
  close(found->second.descriptor);
  files_.erase(found);
}

}  // namespace fanfold::root
