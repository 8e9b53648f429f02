// gatherer.h: the process of one run's gatherer: sockets and sessions to the root and to workers around
// the staging state machine (engine/fold/bundle_stage.h), and one thread of user code.
#pragma once

namespace fanfold::gatherer {

// `fanfold internal-gatherer`: root=ENDPOINT listen=ENDPOINT name=NAME threads=N kernels=LEVEL memory=BYTES
// positions=FD (kFoldThreadsMax FoldPositions, shared) parent=PID folder=FOLDER. Ends with the run or the root.
int gatherer_main(int argc, char** argv);

}  // namespace fanfold::gatherer
