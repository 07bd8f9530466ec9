// How a thread that answers others gets a processor soon after it wakes.
#pragma once

namespace kwta {

// Asks the system to give the calling thread, and threads that it starts later, the processor for short times and
// therefore soon after they wake, instead of when another thread's time is over, milliseconds later. How much of the
// processor they get stays the same. Takes no privilege. Returns false, and changes nothing, where the system has no
// such request (Linux before 6.12) or the thread is in a class of its own, such as real time.
bool AskForShortSlices();

}  // namespace kwta
