// place_text.h: which input a failure belongs to, in words: for the sentence that tells of it
// (engine/protocol/failure_sentence.h). Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/plan/plan.h"
#include "engine/protocol/message.h"
#include "engine/schedule/interval_set.h"

namespace fanfold::schedule {

// The input of shards as a user knows it: bytes 100 to 200 of "data.txt", integers 0 to 9 of "range:0..9".
[[nodiscard]] std::string input_text(const Plan& plan, Interval shards);

// " while mapping ...", " while merging the partial of ...", to go behind what happened; empty where the cause's
// phase says all there is. `lease`: what the culprit had been given, where that is known.
[[nodiscard]] std::string place_text(const Cause& cause, const std::vector<Suspect>& suspects,
                                     std::optional<Interval> lease, const Plan& plan);

}  // namespace fanfold::schedule
