// lexer.h: the words of a query's texts (--by, --agg, --where, --order-by), each with its place, and the sentence
// that points there. docs/stats.md has the grammar.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fanfold::stats {

enum class TokenKind { kName, kNumber, kText, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text = {};   // of a name or text: without its quotes, doubled ones undoubled
  std::string lower = {};  // of a name that is not quoted: in lower case; else empty
  std::size_t begin = 0;   // bytes of the whole text
  std::size_t end = 0;
};

// Reads one parameter's text from front to back.
class Lexer {
 public:
  // `parameter` is its name with dashes ("--where"). Throws UsageError where a character begins no word.
  Lexer(std::string_view parameter, std::string_view text);

  [[nodiscard]] const Token& peek() const { return tokens_[at_]; }
  [[nodiscard]] const Token& peek_second() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take();
  // Takes the next word if it is this symbol, or this name, unquoted, in any case.
  bool take_symbol(std::string_view symbol);
  bool take_word(std::string_view word);
  [[nodiscard]] bool at_end() const { return peek().kind == TokenKind::kEnd; }
  // What was read between two places.
  [[nodiscard]] std::string_view between(std::size_t begin, std::size_t end) const {
    return std::string_view(text_).substr(begin, end - begin);
  }

  // Throws UsageError: "--where, character 8: `what`, not `the next word`".
  [[noreturn]] void expected(std::string_view what) const;
  // Throws UsageError about a place.
  [[noreturn]] void refuse(std::size_t at, std::string_view what) const;

 private:
  std::string parameter_;
  std::string text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

// As a query names it: bare where that is enough, else in backquotes.
[[nodiscard]] std::string name_in_query(std::string_view name);

}  // namespace fanfold::stats
