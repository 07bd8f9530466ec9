// Where requests wait to be encoded, as those see it who submit them.
#pragma once

#include "server/batching/encode_work.h"

namespace kwta::server {

class EncodeQueue {
 public:
  virtual ~EncodeQueue() = default;

  // Computes `work` and calls `done` exactly once; see Batcher::Submit. Thread-safe.
  virtual void Submit(EncodeWork work, EncodeDone done) = 0;
};

}  // namespace kwta::server
