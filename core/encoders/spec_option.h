// Describes a field of a spec message to the command line. Name, type and presence come from the message itself.
#pragma once

namespace kwta {

struct SpecOption {
  const char* flag;   // "--filter-size".
  const char* field;  // Name in the message: a number, a bool, an enumeration, or a message of numbers alone.
  const char* help;   // Meaning and range; encoder.proto says more.
  // The default if it depends on other fields. Null: the library that resolves the message sets it.
  const char* default_text = nullptr;
};

}  // namespace kwta
