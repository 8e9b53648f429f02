#include "jobs/stats/lexer.h"

#include <fanfold/parameters.h>

#include <algorithm>
#include <array>

namespace fanfold::stats {

namespace {

constexpr std::array<std::string_view, 11> kKeywords = {"and", "or",   "not",   "in",  "is",  "null",
                                                        "as",  "true", "false", "asc", "desc"};

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
bool begins_name(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
         static_cast<unsigned char>(byte) >= 0x80;
}
bool continues_name(char byte) {
  return begins_name(byte) || is_digit(byte) || byte == '.';
}
std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& byte : lower) byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  return lower;
}

}  // namespace

std::string name_in_query(std::string_view name) {
  const bool bare = !name.empty() && begins_name(name.front()) &&
                    std::all_of(name.begin(), name.end(), continues_name) &&
                    std::find(kKeywords.begin(), kKeywords.end(), lowered(name)) == kKeywords.end();
  if (bare) return std::string(name);
  std::string quoted = "`";
  for (const char byte : name) quoted.append(byte == '`' ? 2 : 1, byte);
  return quoted + "`";
}

Lexer::Lexer(std::string_view parameter, std::string_view text) : parameter_(parameter), text_(text) {
  constexpr std::array<std::string_view, 19> kSymbols = {"<=", ">=", "<>", "!=", "==", "=~", "!~", "//", "(", ")",
                                                         ",",  "<",  ">",  "=",  "+",  "-",  "*",  "/",  "%"};
  std::size_t at = 0;
  for (;;) {
    while (at < text_.size() && (text_[at] == ' ' || (text_[at] >= '\t' && text_[at] <= '\r'))) ++at;
    Token token;
    token.begin = at;
    if (at == text_.size()) {
      token.end = at;
      tokens_.push_back(token);
      return;
    }
    const char first = text_[at];
    if (first == '`' || first == '"' || first == '\'') {
      for (++at;; ++at) {
        if (at == text_.size()) {
          refuse(token.begin, first == '`' ? "a name's backquote is not closed" : "a text's quote is not closed");
        }
        if (text_[at] == first) {
          if (at + 1 == text_.size() || text_[at + 1] != first) break;
          ++at;
        }
        token.text.push_back(text_[at]);
      }
      ++at;
      token.kind = first == '`' ? TokenKind::kName : TokenKind::kText;
      if (first == '`' && token.text.empty()) refuse(token.begin, "a name may not be empty");
    } else if (begins_name(first)) {
      while (at < text_.size() && continues_name(text_[at])) ++at;
      token.kind = TokenKind::kName;
      token.text = text_.substr(token.begin, at - token.begin);
      token.lower = lowered(token.text);
    } else if (is_digit(first) || (first == '.' && at + 1 < text_.size() && is_digit(text_[at + 1]))) {
      while (at < text_.size() && (is_digit(text_[at]) || text_[at] == '.')) ++at;
      if (at < text_.size() && (text_[at] == 'e' || text_[at] == 'E')) {
        std::size_t exponent = at + 1;
        if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
        if (exponent < text_.size() && is_digit(text_[exponent])) {
          at = exponent;
          while (at < text_.size() && is_digit(text_[at])) ++at;
        }
      }
      token.kind = TokenKind::kNumber;
      token.text = text_.substr(token.begin, at - token.begin);
    } else {
      const std::string_view rest = std::string_view(text_).substr(at);
      const auto* symbol = std::find_if(kSymbols.begin(), kSymbols.end(),
                                        [&](std::string_view candidate) { return rest.starts_with(candidate); });
      if (symbol == kSymbols.end()) {
        refuse(at, "nothing begins with \"" + std::string(1, first) +
                       "\"; column names of other characters than letters, digits, _ and . stand in `backquotes`");
      }
      token.kind = TokenKind::kSymbol;
      token.text = *symbol;
      at += symbol->size();
    }
    token.end = at;
    tokens_.push_back(std::move(token));
  }
}

Token Lexer::take() {
  Token token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Lexer::take_symbol(std::string_view symbol) {
  if (peek().kind != TokenKind::kSymbol || peek().text != symbol) return false;
  take();
  return true;
}

bool Lexer::take_word(std::string_view word) {
  if (peek().kind != TokenKind::kName || peek().lower != word) return false;
  take();
  return true;
}

void Lexer::expected(std::string_view what) const {
  const Token& token = peek();
  const std::string found = token.kind == TokenKind::kEnd ? "the end" : std::string(between(token.begin, token.end));
  refuse(token.begin, std::string(what) + " is expected here, not " + found);
}

void Lexer::refuse(std::size_t at, std::string_view what) const {
  std::size_t character = 1;
  for (std::size_t byte = 0; byte < at; ++byte) character += (static_cast<unsigned char>(text_[byte]) & 0xc0) != 0x80;
  throw UsageError{parameter_ + " \"" + text_ + "\", character " + std::to_string(character) + ": " +
                   std::string(what)};
}

}  // namespace fanfold::stats
