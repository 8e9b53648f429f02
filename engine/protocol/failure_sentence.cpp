#include "engine/protocol/failure_sentence.h"

#include "engine/quoted.h"

namespace fanfold {

std::string phase_text(Phase phase) {
  switch (phase) {
    case Phase::kNone:
      return "";
    case Phase::kLoad:
      return " while the job was loaded";
    case Phase::kOpen:
      return " while the job was opened";
    case Phase::kMap:
      return " while mapping";
    case Phase::kSeal:
      return " while sealing a partial";
    case Phase::kMerge:
      return " while merging";
    case Phase::kPack:
      return " while packing a bundle";
    case Phase::kCheck:
      return " while checking a bundle";
    case Phase::kFold:
      return " while folding a bundle";
    case Phase::kFinish:
      return " while finishing";
  }
  return "";
}

std::string failure_sentence(const std::string& job, const std::string& who, const Cause& cause, std::string place) {
  const std::string the_job = "job " + quoted(job);
  if (cause.kind == CauseKind::kBadRecord) {
    return the_job + " met a bad record" + (cause.source.empty() ? std::string() : " in " + quoted(cause.source)) +
           (cause.message.empty() ? std::string() : ", " + cause.message) + ". Mend it, or leave that input out.";
  }
  // What the job or the system said needs the place; other causes come as whole sentences.
  const bool needs_place = cause.kind == CauseKind::kSignal || cause.kind == CauseKind::kExit ||
                           cause.kind == CauseKind::kException || cause.kind == CauseKind::kJob;
  const bool whole = !needs_place && cause.kind != CauseKind::kOutOfMemory;
  if (!cause.message.empty() && whole) return cause.message;
  if (place.empty()) {
    place = phase_text(cause.phase);
    if (cause.phase == Phase::kMap && !cause.source.empty()) place += " " + quoted(cause.source);
  }
  if (cause.part) place += ", part " + std::to_string(*cause.part);
  if (cause.bundle) {
    place += ", bundle " + std::to_string(cause.bundle->seq.value) + " of worker " + to_text(cause.bundle->incarnation);
  }
  std::string sentence = the_job + ": " + who + " " + describe(cause) + place + ".";
  if (cause.kind == CauseKind::kOutOfMemory) return sentence + " Give it more memory and run the job again.";
  if (!cause.message.empty()) sentence += " " + cause.message;
  if (cause.message.empty() && needs_place) sentence += " Mend the job and run it again.";
  return sentence;
}

}  // namespace fanfold
