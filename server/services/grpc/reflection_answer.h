// Answers what the reflection service is asked, from the descriptors that are compiled in.
#pragma once

#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"

namespace kwta::server {

// `services` are the full names of what the server serves. What cannot be answered gets an error within the answer.
// Thread-safe.
grpc::reflection::v1::ServerReflectionResponse AnswerReflection(
    const grpc::reflection::v1::ServerReflectionRequest& request, const std::vector<std::string>& services);

}  // namespace kwta::server
