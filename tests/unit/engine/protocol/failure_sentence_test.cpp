// failure_sentence_test.cpp: what a person reads when a run fails.
#include "engine/protocol/failure_sentence.h"

#include <gtest/gtest.h>

#include <csignal>

namespace fanfold {
namespace {

Cause cause_of(CauseKind kind, std::string message = {}) {
  Cause cause;
  cause.kind = kind;
  cause.message = std::move(message);
  return cause;
}

TEST(FailureSentence, NamesTheInputAndTheLineOfABadRecord) {
  Cause cause = cause_of(CauseKind::kBadRecord, "line 3: this is no whole number");
  cause.source = "list.txt";
  EXPECT_EQ(failure_sentence("numbers", "the twin", cause),
            "job \"numbers\" met a bad record in \"list.txt\", line 3: this is no whole number. Mend it, or leave that "
            "input out.");
}

TEST(FailureSentence, SaysWhatTheJobSaidAndInWhichPhaseAndPart) {
  Cause cause = cause_of(CauseKind::kJob, "the sum does not fit 64 bits");
  cause.phase = Phase::kFinish;
  cause.part = 7;
  EXPECT_EQ(failure_sentence("numbers", "the twin", cause),
            "job \"numbers\": the twin failed while finishing, part 7. the sum does not fit 64 bits");
}

TEST(FailureSentence, TellsThePeakOfAProcessThatRanOutOfMemoryAndHowMuchThereIs) {
  Cause cause = cause_of(CauseKind::kOutOfMemory, "in a container or machine that has 160 MiB");
  cause.peak_rss_bytes = std::uint64_t{140} << 20;
  EXPECT_EQ(
      failure_sentence("x", "the twin", cause, " while mapping \"a.txt\""),
      "job \"x\": the twin ran out of memory and was killed by the kernel, having held 140 MiB at most in a container "
      "or machine that has 160 MiB while mapping \"a.txt\". Give it more memory and run the job again.");
}

TEST(FailureSentence, NamesTheInputOfAFailureInMap) {
  Cause cause = cause_of(CauseKind::kJob, "thrown");
  cause.phase = Phase::kMap;
  cause.source = "a.txt";
  EXPECT_EQ(failure_sentence("x", "the twin", cause), "job \"x\": the twin failed while mapping \"a.txt\". thrown");
  EXPECT_EQ(failure_sentence("x", "worker \"w\"", cause, " while mapping bytes 0 to 4 of \"a.txt\""),
            "job \"x\": worker \"w\" failed while mapping bytes 0 to 4 of \"a.txt\". thrown");
}

TEST(FailureSentence, NamesTheSignalAndTheBundleOfACrash) {
  Cause cause = cause_of(CauseKind::kSignal);
  cause.signal = SIGSEGV;
  cause.phase = Phase::kFold;
  cause.part = 2;
  cause.bundle = BundleId{{1, 2}, {3}};
  const std::string sentence = failure_sentence("x", "gatherer", cause);
  EXPECT_EQ(sentence.find("job \"x\": gatherer ended by signal 11 (SEGV) while folding a bundle, part 2, bundle 3 of"),
            0U)
      << sentence;
}

TEST(FailureSentence, IsTheCausesOwnWhereThatIsWhole) {
  const std::string whole = "cannot open \"x\": No such file or directory.";
  EXPECT_EQ(failure_sentence("x", "the twin", cause_of(CauseKind::kInput, whole)), whole);
  EXPECT_EQ(failure_sentence("x", "the twin", cause_of(CauseKind::kInput)),
            "job \"x\": the twin could not read its input.");
}

}  // namespace
}  // namespace fanfold
