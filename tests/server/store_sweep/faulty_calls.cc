// Defines functions of the C library: those of the program come before the library's, for the shared libraries too.
#include "tests/server/store_sweep/faulty_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace kwta::testing {
namespace {

struct Faults {
  std::mutex mutex;
  std::string directory;
  std::string last;
  int first = 0, count = 0;
  Fault fault;
  int made = 0;
};
Faults& TheFaults() {
  static Faults* const faults = new Faults;
  return *faults;
}

enum class Outcome { kDone, kFails, kFallsShort };

// What this call is to do; errno is set if it is to fail.
Outcome OutcomeOf(const char* call, const char* path) {
  Faults& faults = TheFaults();
  const std::lock_guard<std::mutex> lock(faults.mutex);
  if (faults.directory.empty() || std::strncmp(path, faults.directory.c_str(), faults.directory.size()) != 0) {
    return Outcome::kDone;
  }
  ++faults.made;
  if (faults.made < faults.first || faults.made >= faults.first + faults.count) return Outcome::kDone;
  if (faults.fault.kind == Fault::kKill) ::raise(SIGKILL);
  faults.last = std::string(call) + " " + path;
  if (faults.fault.kind == Fault::kShort) return Outcome::kFallsShort;
  errno = faults.fault.error;
  return Outcome::kFails;
}

Outcome OutcomeOn(const char* call, int descriptor) {
  const int before = errno;
  char link[64], path[4096];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, path, sizeof(path) - 1);
  errno = before;
  if (length <= 0) return Outcome::kDone;
  path[length] = '\0';
  return OutcomeOf(call, path);
}

bool Fails(const char* call, const char* path) { return OutcomeOf(call, path) == Outcome::kFails; }
bool FailsOn(const char* call, int descriptor) { return OutcomeOn(call, descriptor) == Outcome::kFails; }

// Makes a call that writes `bytes` bytes, or fewer, or none.
template <typename Write>
ssize_t WriteSome(int descriptor, size_t bytes, Write write) {
  const Outcome outcome = OutcomeOn("write", descriptor);
  if (outcome == Outcome::kFails) return -1;
  return write(outcome == Outcome::kFallsShort && bytes > 1 ? bytes / 2 : bytes);
}

template <typename Function>
Function* Real(Function*, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

void WatchCalls(const std::string& directory) {
  Faults& faults = TheFaults();
  const std::lock_guard<std::mutex> lock(faults.mutex);
  faults.directory = directory;
}

void FailCalls(int first, int count, Fault fault) {
  Faults& faults = TheFaults();
  const std::lock_guard<std::mutex> lock(faults.mutex);
  faults.first = first;
  faults.count = count;
  faults.fault = fault;
  faults.made = 0;
  faults.last.clear();
}

void FailNoCalls() { FailCalls(0, 0, {}); }

int CallsMade() {
  const std::lock_guard<std::mutex> lock(TheFaults().mutex);
  return TheFaults().made;
}

std::string LastFailure() {
  const std::lock_guard<std::mutex> lock(TheFaults().mutex);
  return TheFaults().last;
}

}  // namespace kwta::testing

using kwta::testing::Fails;
using kwta::testing::FailsOn;
using kwta::testing::Real;
using kwta::testing::WriteSome;

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  static const auto real = Real(&::open, "open");
  if ((flags & O_ACCMODE) != O_RDONLY && Fails("open", path)) return -1;
  return real(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  static const auto real = Real(&::open64, "open64");
  if ((flags & O_ACCMODE) != O_RDONLY && Fails("open", path)) return -1;
  return real(path, flags, mode);
}

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static const auto real = Real(&::write, "write");
  return WriteSome(descriptor, bytes, [&](size_t some) { return real(descriptor, data, some); });
}

ssize_t pwrite(int descriptor, const void* data, size_t bytes, off_t at) {
  static const auto real = Real(&::pwrite, "pwrite");
  return WriteSome(descriptor, bytes, [&](size_t some) { return real(descriptor, data, some, at); });
}

ssize_t pwrite64(int descriptor, const void* data, size_t bytes, off64_t at) {
  static const auto real = Real(&::pwrite64, "pwrite64");
  return WriteSome(descriptor, bytes, [&](size_t some) { return real(descriptor, data, some, at); });
}

int fsync(int descriptor) {
  static const auto real = Real(&::fsync, "fsync");
  return FailsOn("sync", descriptor) ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
  static const auto real = Real(&::fdatasync, "fdatasync");
  return FailsOn("sync", descriptor) ? -1 : real(descriptor);
}

int ftruncate64(int descriptor, off64_t length) noexcept {
  static const auto real = Real(&::ftruncate64, "ftruncate64");
  return FailsOn("truncate", descriptor) ? -1 : real(descriptor, length);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = Real(&::rename, "rename");
  return Fails("rename", to) ? -1 : real(from, to);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  static const auto real = Real(&::renameat2, "renameat2");
  return Fails("rename", to) ? -1 : real(from_directory, from, to_directory, to, flags);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = Real(&::mkdir, "mkdir");
  return Fails("mkdir", path) ? -1 : real(path, mode);
}

int unlink(const char* path) noexcept {
  static const auto real = Real(&::unlink, "unlink");
  return Fails("unlink", path) ? -1 : real(path);
}

}  // extern "C"
