// result_store.h: where a fleet's root keeps the rows of runs until they are fetched or have expired: a file a run,
// without a name, so that however the root ends nothing of them stays. The work is its thread's (store_thread.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/root/store_thread.h"

namespace fanfold::root {

class ResultStore {
 public:
  // Exit 3 when no file can be made in the folder.
  static Status check_folder(const std::string& folder);
  explicit ResultStore(std::string folder) : folder_(std::move(folder)) {}
  ~ResultStore();
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  // Done in the order asked; each but drop() is answered.
  void store(schedule::StoreBatch batch);
  void read(schedule::ReadBatch batch);
  void drop(RunId run);

  // BatchStored, BatchRead, StoreFailed.
  [[nodiscard]] std::vector<schedule::FleetEvent> take_answers() { return thread_.take_answers(); }
  // Readable when there are answers.
  [[nodiscard]] int descriptor() const { return thread_.descriptor(); }

 private:
  struct Batch {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t rows = 0;
  };
  struct File {
    int descriptor = -1;
    std::uint64_t size = 0;
    std::vector<Batch> batches;
  };

  // The thread's.
  void do_store(const schedule::StoreBatch& batch);
  void do_read(const schedule::ReadBatch& batch);
  void do_drop(RunId run);

  std::string folder_;
  std::map<RunId, File> files_;  // the thread's
  StoreThread thread_;           // last: it uses what is above
};

}  // namespace fanfold::root
