// What a change of proto files breaks for those who have the release before: files it wrote, and clients built with it.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

namespace kwta {

// Where `now` differs from a file that was released, in a way that breaks others; a sentence each. Messages, enums,
// services and methods stay, with the names that they had. Every field and every value of an enum keeps its name,
// number, type and label, or is gone and leaves both number and name reserved; what is reserved is never taken.
// Anything new is allowed. Types are found by their full names, in whatever file they are.
std::vector<std::string> BreakingChanges(const google::protobuf::FileDescriptor& released,
                                         const google::protobuf::DescriptorPool& now);

}  // namespace kwta
