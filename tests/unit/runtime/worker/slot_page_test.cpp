#include "runtime/worker/slot_page.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/worker/crash_marks.h"

namespace fanfold::worker {
namespace {

constexpr IncarnationId kIncarnation{7, 9};

// The wait status of a child that ran `body`.
template <class Body>
int status_of(Body&& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(SlotPage, TellsWhatADeadProcessWasMapping) {
  SlotPage page(3);
  page.begin(kIncarnation);
  const int status = status_of([&] {
    page.cell(1).set_shard(12);
    page.cell(1).set_lease({34});
    page.cell(1).enter(Phase::kMap);
    __atomic_store_n(&page.cell(1).position, 5678U, __ATOMIC_RELAXED);
    raise(SIGKILL);
  });
  const Obituary obituary = write_obituary(page, status, 1234);
  EXPECT_EQ(obituary.incarnation, kIncarnation);
  EXPECT_EQ(obituary.cause.kind, CauseKind::kSignal);
  EXPECT_EQ(obituary.cause.signal, SIGKILL);
  EXPECT_EQ(obituary.cause.peak_rss_bytes, 1234U);
  EXPECT_EQ(obituary.cause.phase, Phase::kMap);
  EXPECT_EQ(obituary.cause.shard, 12U);
  EXPECT_EQ(obituary.cause.offset, 5678U);
  ASSERT_EQ(obituary.suspects.size(), 1U);
  EXPECT_EQ(obituary.suspects[0].slot, 1U);
  EXPECT_EQ(obituary.suspects[0].lease, LeaseId{34});
  EXPECT_EQ(obituary.suspects[0].shard, 12U);
}

TEST(SlotPage, NamesNoShardWhereSeveralSlotsMappedAndNoneSaidThatItWasTheOne) {
  SlotPage page(2);
  page.begin(kIncarnation);
  for (std::uint32_t slot : {0U, 1U}) {
    page.cell(slot).set_lease({slot + 1});
    page.cell(slot).enter(Phase::kMap);
  }
  const Obituary obituary = write_obituary(page, SIGKILL, 0);
  EXPECT_EQ(obituary.cause.shard, std::nullopt);
  EXPECT_EQ(obituary.suspects.size(), 2U);
}

TEST(SlotPage, PutsTheSlotThatCrashedFirst) {
  install_crash_marks();
  SlotPage page(3);
  page.begin(kIncarnation);
  const int status = status_of([&] {
    mark_crashes_of_this_thread(page, 2);
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      page.cell(slot).set_shard(10 * slot);
      page.cell(slot).set_lease({slot + 1});
      page.cell(slot).enter(Phase::kMap);
    }
    std::abort();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  const Obituary obituary = write_obituary(page, status, 0);
  EXPECT_EQ(obituary.cause.signal, SIGABRT);
  EXPECT_EQ(obituary.cause.shard, 20U);
  ASSERT_EQ(obituary.suspects.size(), 3U);
  EXPECT_EQ(obituary.suspects[0].lease, LeaseId{3});
}

TEST(SlotPage, TellsTheThreadThatCalledExit) {
  install_crash_marks();
  SlotPage page(2);
  page.begin(kIncarnation);
  const int status = status_of([&] {
    mark_crashes_of_this_thread(page, 1);
    std::exit(7);
  });
  const Obituary obituary = write_obituary(page, status, 0);
  EXPECT_EQ(page.culprit(), 1U);
  EXPECT_EQ(obituary.cause.kind, CauseKind::kExit);
  EXPECT_EQ(obituary.cause.exit_status, 7);
}

TEST(SlotPage, NamesPartAndBundleOfAFailedMerge) {
  SlotPage page(1);
  page.begin(kIncarnation);
  page.cell(0).set_part({5}, 17);
  page.cell(0).enter(Phase::kMerge);
  const Obituary obituary = write_obituary(page, SIGSEGV, 0);
  EXPECT_EQ(obituary.cause.phase, Phase::kMerge);
  EXPECT_EQ(obituary.cause.part, 17U);
  EXPECT_EQ(obituary.cause.bundle, (BundleId{kIncarnation, {5}}));
  EXPECT_TRUE(obituary.suspects.empty());
}

TEST(SlotPage, ForgetsTheIncarnationBefore) {
  SlotPage page(1);
  page.begin(kIncarnation);
  page.cell(0).set_lease({3});
  page.set_leaving();
  page.set_culprit(0);
  page.begin({1, 2});
  EXPECT_FALSE(page.leaving());
  EXPECT_EQ(page.culprit(), std::nullopt);
  EXPECT_TRUE(write_obituary(page, SIGKILL, 0).suspects.empty());
}

}  // namespace
}  // namespace fanfold::worker
