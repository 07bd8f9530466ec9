// What a command line says about a field of a specification message. Name, type and presence are the message's own.
#pragma once

namespace kwta {

struct SpecOption {
  const char* flag;   // "--filter-size".
  const char* field;  // Name in the message: a number, a bool, an enumeration, or a message of numbers alone.
  const char* help;   // Meaning and range; encoder.proto says more.
  // What the default is, where it depends on other fields; null: what the library that resolves the message sets.
  const char* default_text = nullptr;
};

}  // namespace kwta
