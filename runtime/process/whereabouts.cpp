#include "runtime/process/whereabouts.h"

#include <pwd.h>
#include <unistd.h>

namespace fanfold::process {

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string user_name() {
  const passwd* user = getpwuid(geteuid());
  return user != nullptr ? std::string(user->pw_name) : std::to_string(geteuid());
}

}  // namespace fanfold::process
