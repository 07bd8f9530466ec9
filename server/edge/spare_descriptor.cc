#include "server/edge/spare_descriptor.h"

#include <fcntl.h>
#include <unistd.h>

namespace kwta::server {
namespace {

int OpenNothing() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

bool SpareDescriptor::Take() {
  if (descriptor_ < 0) descriptor_ = OpenNothing();
  return descriptor_ >= 0;
}

void SpareDescriptor::Give() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

bool SpareDescriptor::Room() {
  const int descriptor = OpenNothing();
  if (descriptor >= 0) ::close(descriptor);
  return descriptor >= 0;
}

}  // namespace kwta::server
