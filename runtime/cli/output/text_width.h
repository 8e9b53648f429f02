// text_width.h: text made safe for a terminal, and how many columns it takes there. The same on every
// machine: no locale is asked.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fanfold {

// Columns of one character: 0 for marks that combine with the one before, 2 for East Asian wide ones and
// emoji, else 1.
[[nodiscard]] unsigned width_of(char32_t character);

// Appends `text` with whatever could break a line or steer a terminal written as \n, \t, \r, \xNN (a
// control byte, or one that is not UTF-8) or \u{N} (invisible and direction-changing characters); gives the
// columns it takes.
std::size_t append_visible(std::string& out, std::string_view text);

}  // namespace fanfold
