// fold_thread.h: the gatherer's one thread of user code: opens the job, validates bundles, folds, finishes
// and sends rows, in the order asked, with TBB's threads behind it. The loop thread asks and takes answers;
// a waker tells it that there are some.
#pragma once

#include <fanfold/ledger.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "engine/fold/bundle_stage.h"
#include "engine/fold/total.h"
#include "runtime/gatherer/bundle_storage.h"
#include "runtime/plugin/memory_pool.h"
#include "runtime/plugin/plugin.h"
#include "runtime/transport/poller.h"

namespace fanfold::gatherer {

// Rows on their way to the root, in order, between the other answers.
struct RowsReady {
  ResultBatch batch;
  RawBytes bytes;
};

using Answer = std::variant<staging::Event, RowsReady>;

struct FoldOptions {
  std::uint32_t threads = 1;
  fanfold_kernels kernels = FANFOLD_KERNELS_PORTABLE;
  FoldPosition* positions = nullptr;             // one a thread
  std::vector<std::string> plugin_folders = {};  // where it looks for a job whose path the root does not say
};

class FoldThread {
 public:
  FoldThread(const FoldOptions& options, plugin::MemoryAccount& account, const transport::Waker& waker);
  ~FoldThread();  // waits for the task at hand; cancel() first makes that short
  FoldThread(const FoldThread&) = delete;
  FoldThread& operator=(const FoldThread&) = delete;

  void open(OpenRun open);
  void validate(BundleId id, StoredBundle stored);
  void fold(BundleId id);
  void fold_small(std::vector<SmallFold> partials);
  void free(BundleId id);
  void finish(RunId run, std::uint64_t batches_allowed);
  void allow_batches(std::uint64_t batches_allowed);
  // What is queued is not done any more, and rows stop.
  void cancel();
  void close(RunId run);

  [[nodiscard]] std::vector<Answer> take_answers();

 private:
  void ask(std::function<void()> task);
  void answer(Answer answer);
  void run();
  void fail(Cause cause);
  void do_open(const OpenRun& open);
  void do_validate(const BundleId& id, const StoredBundle& stored);
  void do_fold(const BundleId& id);
  void do_fold_small(const std::vector<SmallFold>& partials);
  void do_finish(RunId run);
  void do_close(RunId run);
  void compact_if_large();
  [[nodiscard]] bool wait_for_credit(std::uint64_t index);

  FoldOptions options_;
  plugin::MemoryAccount& account_;
  const transport::Waker& waker_;
  RunId run_;
  bool failed_ = false;
  std::uint64_t result_limit_ = 0;
  std::unique_ptr<plugin::Plugin> plugin_;
  std::unique_ptr<plugin::Instance> instance_;
  tbb::global_control parallelism_;
  tbb::task_arena arena_;
  std::unique_ptr<Total> total_;
  // A sound bundle and the run ledger that came with it: they count together.
  struct Validated {
    PackedBundle bundle;
    Ledger ledger;
  };
  std::map<BundleId, Validated> validated_;
  Ledger ledger_;  // of all that is in the total
  std::uint64_t compacted_bytes_ = 0;
  Duration merge_ = {};

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<Answer> answers_;
  std::uint64_t batches_allowed_ = 0;
  bool cancelled_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fanfold::gatherer
