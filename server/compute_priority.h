// Threads that compute give way to the thread that answers calls.
#pragma once

namespace kwta::server {

// Lowers the calling thread's priority a little, and so that of the threads that it starts. A call that is refused, or
// that is read for the next batch, then does not wait for the batch that computes, which takes all processors.
void LowerPriorityOfComputing();

}  // namespace kwta::server
