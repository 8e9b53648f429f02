#include "runtime/transport/link_counts_page.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fanfold::transport {
namespace {

TEST(LinkCountsPage, ShowsTheParentWhatTheChildCountedAlsoAfterItsDeath) {
  Result<LinkCountsPage> page = LinkCountsPage::make();
  ASSERT_TRUE(page) << page.failure().sentence;
  EXPECT_EQ(page->read().of, LinkCounts{}.of);
  const pid_t child = fork();
  if (child == 0) {
    LinkCounts counts;
    counts[LinkEvent::kAccepted] = 3;
    counts[LinkEvent::kRoleRefused] = 1;
    LinkCountsPage::attach(dup(page->descriptor())).write(counts);
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  LinkCounts counts = page->read();
  EXPECT_EQ(counts[LinkEvent::kAccepted], 3U);
  EXPECT_EQ(counts[LinkEvent::kRoleRefused], 1U);
  counts += page->read();
  EXPECT_EQ(counts[LinkEvent::kAccepted], 6U);
}

}  // namespace
}  // namespace fanfold::transport
