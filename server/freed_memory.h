// Gives memory that was freed back to the system.
#pragma once

#include <cstddef>

namespace kwta::server {

// The allocator keeps what is freed in the arenas of the threads that took it. Gives it back at once.
void ReturnFreedMemory();

// Gives it back when much was freed and is not used again. Not thread-safe.
class FreedMemory {
 public:
  // Call it about once a second. It takes some ten microseconds, and milliseconds if it finds much.
  void Look();

 private:
  size_t kept_ = 0;    // what could not be given back the last time
  size_t before_ = 0;  // what was free at the last look
};

}  // namespace kwta::server
