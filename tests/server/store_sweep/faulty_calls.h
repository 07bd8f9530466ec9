// Calls of this process that write files, failing when a test says so: open for writing, write, sync, truncate, rename,
// link, mkdir and unlink below one directory, whoever makes them, SQLite and the standard library included.
#pragma once

#include <string>

namespace kwta::testing {

// Only calls that concern paths below `directory` are counted and fail. Nothing fails at first.
void WatchCalls(const std::string& directory);

// From now on, counts anew; calls first, first + 1, ... first + count - 1 (from 1) fail with `error`. count 0: none.
void FailCalls(int first, int count, int error);

// Calls since FailCalls, and those that failed.
int CallsMade();
int CallsFailed();
// The last one that failed, such as "sync /tmp/x/kwta.db-wal"; empty if none has.
std::string LastFailure();

}  // namespace kwta::testing
