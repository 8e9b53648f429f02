// future: a plugin of another major, as a later Fanfold may build it. Only the head of its table means anything to
// this program.
#include <fanfold/abi.h>

extern "C" __attribute__((visibility("default"))) const fanfold_job* fanfold_plugin_v1(void) {
  static const fanfold_job job = [] {
    fanfold_job table{};
    table.size = sizeof(fanfold_job);
    table.abi_major = 2;
    table.abi_minor = 7;
    return table;
  }();
  return &job;
}
