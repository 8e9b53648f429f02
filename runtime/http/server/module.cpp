// module.cpp: what endpoints.cpp finds when it has loaded this module.
#include "runtime/http/server/node_endpoints.h"

extern "C" [[gnu::visibility("default")]] const fanfold::http::EndpointsModule fanfold_endpoints = {
    fanfold::http::NodeEndpoints::serve, fanfold::http::NodeEndpoints::ask_ready};
