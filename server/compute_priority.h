// Makes computing threads give way to the thread that answers calls.
#pragma once

namespace kwta::server {

// Slightly lowers the priority of the calling thread and of the threads that it starts later. The computing batch takes
// all processors; with this, refusing a call or reading a call for the next batch does not wait for it.
void LowerPriorityOfComputing();

}  // namespace kwta::server
