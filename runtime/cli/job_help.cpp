#include "runtime/cli/job_help.h"

#include <limits>

namespace fanfold::cli {

namespace {

std::string value_text(const plugin::Parameter& parameter) {
  switch (parameter.type) {
    case FANFOLD_PARAMETER_FLAG:
      return "";
    case FANFOLD_PARAMETER_INTEGER:
      return " N";
    case FANFOLD_PARAMETER_NUMBER:
      return " NUMBER";
    case FANFOLD_PARAMETER_CHOICE:
      return " " + parameter.choices;
    default:
      return " TEXT";
  }
}

std::string bounds_text(const plugin::Parameter& parameter) {
  if (parameter.type != FANFOLD_PARAMETER_INTEGER) return "";
  std::string text;
  if (parameter.minimum != std::numeric_limits<std::int64_t>::min()) {
    text += ", at least " + std::to_string(parameter.minimum);
  }
  if (parameter.maximum != std::numeric_limits<std::int64_t>::max()) {
    text += ", at most " + std::to_string(parameter.maximum);
  }
  return text;
}

}  // namespace

std::string parameters_text(const plugin::JobDescription& job) {
  std::string text;
  for (const plugin::Parameter& parameter : job.parameters) {
    text += "  --" + parameter.name + value_text(parameter) + "\n      " + parameter.help;
    if (!parameter.default_value.empty()) text += " (default " + parameter.default_value + bounds_text(parameter) + ")";
    text += "\n";
  }
  return text;
}

std::string description_text(const plugin::Described& described, const std::string& path) {
  const plugin::JobDescription& job = described.job;
  std::string text = job.name + " " + job.version + ": " + job.summary + "\n";
  if (!job.help.empty()) text += "\n" + job.help + "\n";
  if (!job.parameters.empty()) text += "\nParameters\n" + parameters_text(job);
  if (described.schema) {
    text += "\nColumns\n";
    for (const Column& column : described.schema->columns) {
      text += "  " + column.name + " (" + std::string(name_of(column.type)) + ")";
      text += (column.help.empty() ? "" : ": " + column.help) + "\n";
    }
    std::string order;
    for (const OrderTerm& term : described.schema->order) {
      order += (order.empty() ? "" : ", then ") + described.schema->columns[term.column].name;
      order += term.descending ? " descending" : " ascending";
    }
    text += "\nOrder: " + (order.empty() ? std::string("all columns, ascending") : order) + "\n";
  }
  text += "\nPlugin: " + path + " (interface " + std::to_string(job.abi_major) + "." + std::to_string(job.abi_minor) +
          ")\n";
  return text;
}

}  // namespace fanfold::cli
