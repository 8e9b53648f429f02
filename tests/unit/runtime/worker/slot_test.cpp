#include "runtime/worker/slot.h"

#include <gtest/gtest.h>

#include <latch>
#include <set>

namespace fanfold::worker {
namespace {

// Counts its pieces; each waits until as many threads as wanted are in it.
class CountedWork : public SharedWork {
 public:
  CountedWork(std::uint32_t pieces, std::latch& finished) : SharedWork(pieces), times_(pieces), finished_(finished) {}
  [[nodiscard]] int times(std::uint32_t piece) const { return times_[piece]; }
  std::atomic<int> finishes = 0;

 private:
  void do_piece(std::uint32_t piece, std::uint32_t) override { times_[piece] += 1; }
  void finish(std::uint32_t) override {
    finishes += 1;
    finished_.count_down();
  }
  std::vector<std::atomic<int>> times_;
  std::latch& finished_;
};

TEST(Slots, DoEveryPieceOfSharedWorkOnceAndFinishItOnce) {
  SlotPage page(4);
  std::latch finished(20);
  std::vector<std::shared_ptr<CountedWork>> works;
  {
    Slots slots(4, page);
    for (int index = 0; index < 20; ++index) {
      works.push_back(std::make_shared<CountedWork>(100, finished));
      slots.share(works.back());
    }
    finished.wait();
  }
  for (const auto& work : works) {
    EXPECT_EQ(work->finishes, 1);
    for (std::uint32_t piece = 0; piece < 100; ++piece) ASSERT_EQ(work->times(piece), 1);
  }
}

TEST(Slots, DoTheTasksOfAnInboxInOrderOnOneThread) {
  SlotPage page(2);
  std::vector<int> order;
  std::set<std::thread::id> threads;
  std::latch done(1000);
  {
    Slots slots(2, page);
    for (int index = 0; index < 1000; ++index) {
      slots.put(1, [&, index] {
        order.push_back(index);
        threads.insert(std::this_thread::get_id());
        done.count_down();
      });
    }
    done.wait();
  }
  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(threads.size(), 1U);
}

TEST(Slots, TakeSharedWorkAheadOfTheirInboxes) {
  SlotPage page(1);
  std::latch started(1);
  std::latch shared(1);
  std::latch done(2);
  std::vector<std::string> order;
  Slots slots(1, page);
  class Noted : public SharedWork {
   public:
    Noted(std::vector<std::string>& order, std::latch& done) : SharedWork(1), order_(order), done_(done) {}

   private:
    void do_piece(std::uint32_t, std::uint32_t) override { order_.push_back("shared"); }
    void finish(std::uint32_t) override { done_.count_down(); }
    std::vector<std::string>& order_;
    std::latch& done_;
  };
  slots.put(0, [&] {
    started.count_down();
    shared.wait();
    order.push_back("first");
  });
  slots.put(0, [&] {
    order.push_back("second");
    done.count_down();
  });
  started.wait();
  slots.share(std::make_shared<Noted>(order, done));
  shared.count_down();
  done.wait();
  EXPECT_EQ(order, (std::vector<std::string>{"first", "shared", "second"}));
}

}  // namespace
}  // namespace fanfold::worker
