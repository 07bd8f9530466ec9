// Asks the server that the first argument names how it is: 0 if it answers, 3 if nobody does.

#include <cstdio>

#include "client/client.h"

int main(int argc, char** argv) {
  kwta::client::Options options;
  options.address = argc > 1 ? argv[1] : "127.0.0.1:1";
  options.retry.attempts = 1;
  kwta::client::Client client(options);
  const auto status = client.ServerStatus();
  std::printf("%s: %s\n", options.address.c_str(), status.ok() ? "serves" : status.status().ToString().c_str());
  if (status.ok()) return 0;
  return absl::IsUnavailable(status.status()) ? 3 : 1;
}
