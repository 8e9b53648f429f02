// whereabouts.h: on which machine, and as whom, this process runs: for handshakes and sentences.
#pragma once

#include <string>

namespace fanfold::process {

[[nodiscard]] std::string host_name();
// Its number where it has no name.
[[nodiscard]] std::string user_name();

}  // namespace fanfold::process
