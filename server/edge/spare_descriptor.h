// A descriptor kept for the moment when the process has no other.
#pragma once

namespace kwta::server {

// Not thread-safe.
class SpareDescriptor {
 public:
  SpareDescriptor() { Take(); }
  ~SpareDescriptor() { Give(); }
  SpareDescriptor(const SpareDescriptor&) = delete;
  SpareDescriptor& operator=(const SpareDescriptor&) = delete;

  // Returns whether it is there. If it is not, tries to take one.
  bool Take();
  // Frees it for one call that needs a descriptor.
  void Give();
  // Whether the process could open another file now.
  static bool Room();

 private:
  int descriptor_ = -1;
};

}  // namespace kwta::server
