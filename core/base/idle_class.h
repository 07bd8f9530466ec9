// How a thread of the system's idle class (SCHED_IDLE) lets others have its processor at once.
#pragma once

namespace kwta {

// Call this every few dozen microseconds in work that may run in the idle class. Offers the processor to others if the
// calling thread is in that class and has not done so within 50 us. Returns whether it did.
//
// The class alone does not suffice. Linux shares a processor between a thread of the idle class and others too, one to
// 341: now and then it lets the former go on although another waits, and it looks again only at the next tick, up to
// 4 ms later. A yield makes it look at once.
bool YieldInIdleClass();

}  // namespace kwta
