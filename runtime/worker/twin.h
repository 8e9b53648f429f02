// twin.h: the sequential twin of a run (`--sequential`): one thread, one partial, no engine. It is what every
// other way of running a job is compared with. In a process of its own, for it runs user code.
#pragma once

namespace fanfold::worker {

// `fanfold internal-twin`: spec=FD (a piped OpenRun) result=FD kernels=LEVEL parent=PID. Answers RunOpened,
// ResultBatch with rows, Ended with the counts, Finished and Goodbye; or Failed.
int twin_main(int argc, char** argv);

}  // namespace fanfold::worker
