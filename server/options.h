// What the operator of kwta-server can set: by flags, by the environment, by a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kwta::server {

struct Options {
  // Everything the server keeps: models/, jobs/, datasets/ and kwta.db.
  std::string state_directory = "kwta-data";
  // Where models are kept, which several servers may share; empty takes models/ in the state directory.
  std::string model_directory;
  // The directory is looked at when something happens in it, and so often, which network file systems need.
  double model_poll_seconds = 10;
  // Bytes of the parameters that may be in memory; 0: no limit.
  int64_t model_memory_bytes = 0;
  // Addresses of the gRPC and the HTTP port, host:port; port 0 takes a free one.
  std::string listen_address = "127.0.0.1:8500";
  std::string http_address = "127.0.0.1:8501";
  // PEM files of the server's certificate chain and key, for both ports; empty: no TLS. Clients must show a certificate
  // that client_ca has signed, unless that is empty. Files that change are read again after so many seconds.
  std::string tls_certificate, tls_key, tls_client_ca;
  int tls_reload_seconds = 10;
  // File of bearer tokens (docs/security.md); empty: calls need none.
  std::string token_file;
  // Listen beyond this machine without TLS, or without knowing who calls; with the HTTP port only, which then never has
  // TLS.
  bool insecure = false;
  bool insecure_http = false;
  // Descriptor that gets the line {"grpc": port, "http": port, "pid": pid} once the server is ready, and is closed
  // then; negative: none.
  int ready_descriptor = -1;

  // Backend of Encode and of the trainers; empty takes the best one built in. Threads of Encode; 0 takes every
  // processor.
  std::string backend;
  int threads = 0;

  int64_t max_batch_rows = 256;
  int64_t max_queue_rows = 4096;
  int64_t max_queue_bytes = int64_t{256} << 20;
  double max_queue_milliseconds = 20;  // 0: no limit
  double batch_linger_milliseconds = 0;
  int64_t max_message_bytes = int64_t{64} << 20;
  int64_t max_upload_bytes = int64_t{4} << 30;
  int max_concurrent_calls = 512;
  int max_stream_messages = 256;  // In flight on one EncodeStream.

  int max_running_jobs = 1;
  int max_queued_jobs = 1000;
  // The trainer's nice level: training yields to Encode.
  int trainer_niceness = 19;
  // Program that trains; empty takes kwta-trainer beside the server's own program.
  std::string trainer_path;
  // A trainer that was told to stop is killed after this.
  double trainer_stop_seconds = 10;
  // Searched for data sets after the uploads in the state directory.
  std::vector<std::string> data_directories;

  // After SIGTERM: how long to go on serving while load balancers notice, then how long calls in flight may take.
  double drain_delay_seconds = 0;
  double drain_grace_seconds = 25;

  std::string log_level = "info";
  std::string log_format = "text";  // or "json"

  // Do not serve: say whether a server could.
  bool check_config = false;
};

// What a command line asks for: to run with `options`, or (done) to print `text` and exit with `exit_code`.
struct CommandLine {
  Options options;
  bool done = false;
  int exit_code = 0;
  std::string text;
};

// Reads flags, then the environment (--max-queue-rows is KWTA_MAX_QUEUE_ROWS), then the file named by --config; what
// comes first wins. Bad values give exit code 2 and a text that names the flag.
CommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace kwta::server
