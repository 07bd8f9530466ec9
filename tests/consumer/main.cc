// Uses the installed libraries as a stranger would: encodes a row without a server, and finds that there is none.

#include <cstdint>
#include <cstdio>

#include "client/client.h"
#include "core/backends/backend_registry.h"

int main() {
  const auto backend = kwta::CreateBackend("", {});
  if (!backend.ok()) {
    std::fprintf(stderr, "no backend: %s\n", backend.status().ToString().c_str());
    return 1;
  }
  const float atoms[3][2] = {{1, 0}, {0, 1}, {2, 2}};
  const float bias[3] = {};
  const float x[2] = {1, 3};
  const auto dictionary = (*backend)->PrepareDictionary(atoms[0], bias, 3, 2);
  if (!dictionary.ok()) return 1;
  int32_t unit = -1;
  float value = 0;
  kwta::AffineTopKArgs args;
  args.dictionary = dictionary->get();
  args.x = x;
  args.rows = 1;
  args.k = 1;
  args.indices = &unit;
  args.values = &value;
  if (!(*backend)->AffineTopK(args).ok() || unit != 2 || value != 8) return 1;
  std::printf("the %s backend encodes\n", (*backend)->name());

  kwta::client::Options options;
  options.address = "127.0.0.1:1";
  options.retry.attempts = 1;
  kwta::client::Client client(options);
  const auto status = client.ServerStatus();
  if (!absl::IsUnavailable(status.status())) return 1;
  std::printf("and nobody serves at %s\n", options.address.c_str());
  return 0;
}
