// failure_sentence.h: how a run's failure is told to people: which job, who failed, how, where, and what the
// job or the system said of it. The root and the twin tell the same cause in the same words.
#pragma once

#include <string>

#include "engine/protocol/message.h"

namespace fanfold {

// " while merging", to go behind describe(cause); empty for Phase::kNone.
[[nodiscard]] std::string phase_text(Phase phase);

// One sentence, or more where the cause brings some. `who` failed: "worker \"w1\" (pid 7)", "the twin". `place`
// says where in the input, as " while mapping bytes 0 to 9 of \"a.txt\""; empty: the phase alone.
[[nodiscard]] std::string failure_sentence(const std::string& job, const std::string& who, const Cause& cause,
                                           std::string place = {});

}  // namespace fanfold
