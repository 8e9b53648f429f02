#include "engine/protocol/message.h"

#include <csignal>

namespace fanfold {
namespace {

const char* signal_name(int signal) {
  switch (signal) {
    case SIGSEGV:
      return " (SEGV)";
    case SIGABRT:
      return " (ABRT)";
    case SIGBUS:
      return " (BUS)";
    case SIGFPE:
      return " (FPE)";
    case SIGILL:
      return " (ILL)";
    case SIGKILL:
      return " (KILL)";
    case SIGTERM:
      return " (TERM)";
    case SIGINT:
      return " (INT)";
    default:
      return "";
  }
}

}  // namespace

std::string to_text(uint64_t high, uint64_t low) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[15 - i] = kDigits[high >> (4 * i) & 0xf];
    text[31 - i] = kDigits[low >> (4 * i) & 0xf];
  }
  return text;
}

bool from_text(std::string_view text, uint64_t& high, uint64_t& low) {
  if (text.size() != 32) return false;
  uint64_t words[2] = {0, 0};
  for (std::size_t i = 0; i < 32; ++i) {
    const char digit = text[i];
    uint64_t value = 0;
    if (digit >= '0' && digit <= '9') {
      value = static_cast<uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      value = static_cast<uint64_t>(digit - 'a') + 10;
    } else {
      return false;
    }
    words[i / 16] = words[i / 16] << 4 | value;
  }
  high = words[0];
  low = words[1];
  return true;
}

Blame blame_of(const Cause& cause) {
  switch (cause.kind) {
    case CauseKind::kSignal:
      switch (cause.signal) {
        case SIGSEGV:
        case SIGABRT:
        case SIGBUS:
        case SIGFPE:
        case SIGILL:
          return Blame::kJob;
        default:
          return Blame::kMachine;
      }
    case CauseKind::kExit:
    case CauseKind::kException:
    case CauseKind::kJob:
    case CauseKind::kUsage:
    case CauseKind::kBadRecord:
    case CauseKind::kInput:
    case CauseKind::kOutput:
    case CauseKind::kMemory:
    case CauseKind::kOverflow:
      return Blame::kJob;
    case CauseKind::kUnknown:
    case CauseKind::kBadPartial:
    case CauseKind::kTimeout:
    case CauseKind::kSilence:
    case CauseKind::kLostLink:
    case CauseKind::kCancelled:
    case CauseKind::kInternal:
    case CauseKind::kOutOfMemory:  // another machine may have more
      return Blame::kMachine;
  }
  return Blame::kMachine;
}

ExitCode exit_code_of(const Cause& cause) {
  switch (cause.kind) {
    case CauseKind::kUsage:
      return ExitCode::kUsage;
    case CauseKind::kInput:
    case CauseKind::kOutput:
      return ExitCode::kInputOutput;
    case CauseKind::kInternal:
      return ExitCode::kInternal;
    case CauseKind::kCancelled:
      return cause.signal == SIGTERM ? ExitCode::kTerminated : ExitCode::kInterrupted;
    default:
      return ExitCode::kJobFailed;
  }
}

std::string peak_text(const Cause& cause) {
  return cause.peak_rss_bytes == 0 ? std::string()
                                   : ", having held " + std::to_string(cause.peak_rss_bytes >> 20) + " MiB at most";
}

std::string describe(const Cause& cause) {
  switch (cause.kind) {
    case CauseKind::kUnknown:
      return "ended for an unknown reason";
    case CauseKind::kSignal:
      return "ended by signal " + std::to_string(cause.signal) + signal_name(cause.signal);
    case CauseKind::kExit:
      return "left by exit(" + std::to_string(cause.exit_status) + ")";
    case CauseKind::kException:
      return "let an exception escape";
    case CauseKind::kJob:
      return "failed";
    case CauseKind::kUsage:
      return "was refused";
    case CauseKind::kBadRecord:
      return "met a bad record";
    case CauseKind::kInput:
      return "could not read its input";
    case CauseKind::kOutput:
      return "could not write";
    case CauseKind::kMemory:
      return "ran out of memory";
    case CauseKind::kOverflow:
      return "overflowed";
    case CauseKind::kBadPartial:
      return "sent a partial that is not one";
    case CauseKind::kTimeout:
      return "took longer than allowed";
    case CauseKind::kSilence:
      return "was silent for longer than allowed";
    case CauseKind::kLostLink:
      return "lost its link";
    case CauseKind::kCancelled:
      return "was cancelled";
    case CauseKind::kInternal:
      return "failed inside";
    case CauseKind::kOutOfMemory:
      return "ran out of memory and was killed by the kernel" + peak_text(cause) +
             (cause.message.empty() ? std::string() : " " + cause.message);
  }
  return "failed";
}

bool is_loose(const Message& message) {
  return std::visit([](const auto& value) { return kLoose<std::remove_cvref_t<decltype(value)>>; }, message);
}

const char* name_of(const Message& message) {
  struct Names {
    const char* operator()(const Hello&) const { return "Hello"; }
    const char* operator()(const Welcome&) const { return "Welcome"; }
    const char* operator()(const Refused&) const { return "Refused"; }
    const char* operator()(const StartAnew&) const { return "StartAnew"; }
    const char* operator()(const OpenRun&) const { return "OpenRun"; }
    const char* operator()(const RunOpened&) const { return "RunOpened"; }
    const char* operator()(const Grant&) const { return "Grant"; }
    const char* operator()(const Ended&) const { return "Ended"; }
    const char* operator()(const Verdicts&) const { return "Verdicts"; }
    const char* operator()(const Flush&) const { return "Flush"; }
    const char* operator()(const FlushWanted&) const { return "FlushWanted"; }
    const char* operator()(const FlushGranted&) const { return "FlushGranted"; }
    const char* operator()(const BundleOffer&) const { return "BundleOffer"; }
    const char* operator()(const ChunksWanted&) const { return "ChunksWanted"; }
    const char* operator()(const Chunk&) const { return "Chunk"; }
    const char* operator()(const Staged&) const { return "Staged"; }
    const char* operator()(const FoldBundle&) const { return "FoldBundle"; }
    const char* operator()(const RejectBundle&) const { return "RejectBundle"; }
    const char* operator()(const Folded&) const { return "Folded"; }
    const char* operator()(const BundleFailed&) const { return "BundleFailed"; }
    const char* operator()(const BundleDone&) const { return "BundleDone"; }
    const char* operator()(const FoldSmall&) const { return "FoldSmall"; }
    const char* operator()(const SmallFolded&) const { return "SmallFolded"; }
    const char* operator()(const ForgetWorker&) const { return "ForgetWorker"; }
    const char* operator()(const Finish&) const { return "Finish"; }
    const char* operator()(const ResultBatch&) const { return "ResultBatch"; }
    const char* operator()(const ResultCredit&) const { return "ResultCredit"; }
    const char* operator()(const Finished&) const { return "Finished"; }
    const char* operator()(const Failed&) const { return "Failed"; }
    const char* operator()(const CancelRun&) const { return "CancelRun"; }
    const char* operator()(const CloseRun&) const { return "CloseRun"; }
    const char* operator()(const Goodbye&) const { return "Goodbye"; }
    const char* operator()(const StartWorker&) const { return "StartWorker"; }
    const char* operator()(const StopWorker&) const { return "StopWorker"; }
    const char* operator()(const WorkerEnded&) const { return "WorkerEnded"; }
    const char* operator()(const NodeLeaving&) const { return "NodeLeaving"; }
    const char* operator()(const NodeReleased&) const { return "NodeReleased"; }
    const char* operator()(const SlotsAllowed&) const { return "SlotsAllowed"; }
    const char* operator()(const Submit&) const { return "Submit"; }
    const char* operator()(const Watch&) const { return "Watch"; }
    const char* operator()(const CancelWanted&) const { return "CancelWanted"; }
    const char* operator()(const ListRuns&) const { return "ListRuns"; }
    const char* operator()(const Runs&) const { return "Runs"; }
    const char* operator()(const ListNodes&) const { return "ListNodes"; }
    const char* operator()(const Nodes&) const { return "Nodes"; }
    const char* operator()(const RunAccepted&) const { return "RunAccepted"; }
    const char* operator()(const RunRefused&) const { return "RunRefused"; }
    const char* operator()(const RunProgress&) const { return "RunProgress"; }
    const char* operator()(const RunSchema&) const { return "RunSchema"; }
    const char* operator()(const RunOver&) const { return "RunOver"; }
    const char* operator()(const ShipBytes&) const { return "ShipBytes"; }
    const char* operator()(const ShipCredit&) const { return "ShipCredit"; }
    const char* operator()(const ReadShipped&) const { return "ReadShipped"; }
    const char* operator()(const ShippedBlock&) const { return "ShippedBlock"; }
  };
  return std::visit(Names{}, message);
}

}  // namespace fanfold
