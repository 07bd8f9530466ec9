// Calls of this process that write files, with faults where a test wants them: open for writing, write, sync, truncate,
// rename, mkdir and unlink below one directory, whoever makes them, SQLite and the standard library included.
#pragma once

#include <string>

namespace kwta::testing {

// Only calls that concern paths below `directory` are counted and fail. Nothing fails at first.
void WatchCalls(const std::string& directory);

// What happens at the chosen calls.
struct Fault {
  enum Kind {
    kError,  // the call fails with `error`
    kShort,  // the call, if it writes, writes half of its bytes; other calls succeed
    kKill,   // the process is killed in place of the call
  };
  Kind kind = kError;
  int error = 0;
};

// From now on, counts anew; `fault` happens at calls first, first + 1, ... first + count - 1 (from 1). count 0: none.
void FailCalls(int first, int count, Fault fault);
void FailNoCalls();

// Calls since FailCalls.
int CallsMade();
// The last one at which the fault happened, such as "sync /tmp/x/kwta.db-wal"; empty if there is none.
std::string LastFailure();

}  // namespace kwta::testing
