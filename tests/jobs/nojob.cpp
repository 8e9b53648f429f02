// nojob: a shared library like any other, and no plugin: it exports no job.
extern "C" __attribute__((visibility("default"))) int nothing_to_do_with_jobs(void) {
  return 0;
}
