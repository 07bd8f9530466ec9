// What the operator of kwta-server can set with flags, the environment or a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kwta::server {

struct Options {
  // The directory of everything that the server keeps: models/, jobs/, datasets/ and kwta.db.
  std::string state_directory = "kwta-data";
  // The directory of models, which several servers may share; empty uses models/ in the state directory.
  std::string model_directory;
  // How often to look at the directory besides when something happens in it. Network file systems need this.
  double model_poll_seconds = 10;
  // Limit on the bytes of parameters in memory; 0: no limit.
  int64_t model_memory_bytes = 0;
  // Addresses of the gRPC and the HTTP port, host:port; port 0 picks a free one.
  std::string listen_address = "127.0.0.1:8500";
  std::string http_address = "127.0.0.1:8501";
  // PEM files of the server's certificate chain and key, for both ports; empty: no TLS. Unless client_ca is empty,
  // clients must show a certificate that it has signed. The server rereads changed files after this many seconds.
  std::string tls_certificate, tls_key, tls_client_ca;
  int tls_reload_seconds = 10;
  // File of bearer tokens (docs/security.md); empty: calls need no token.
  std::string token_file;
  // Allow listening beyond this machine without TLS, or without knowing who calls. The second flag allows it for the
  // HTTP port only, which then never has TLS.
  bool insecure = false;
  bool insecure_http = false;
  // The server writes the line {"grpc": port, "http": port, "pid": pid} to this descriptor once it is ready, then
  // closes it; negative: none.
  int ready_descriptor = -1;

  // Backend of Encode and of the trainers; empty uses the best one built in. Threads of Encode; 0 uses every processor.
  std::string backend;
  int threads = 0;
  // The number of the device that the server and its trainers compute on; unset: the first. Which models compute there
  // (server/placement/device_models.h), the bytes of its memory that they may take (0: four fifths of what is free at
  // the start), and what happens if it has no memory: "compute" on the processor or "refuse".
  std::optional<int> device;
  std::string device_models = "all";
  int64_t device_memory_bytes = 0;
  std::string device_full = "compute";

  // What requests of the Open Inference Protocol that do not say it mean by NaN and infinity: "refuse" or "zero".
  std::string oip_non_finite = "refuse";

  int64_t max_batch_rows = 256;
  int64_t max_queue_rows = 4096;
  int64_t max_queue_bytes = int64_t{256} << 20;
  double max_queue_milliseconds = 20;  // 0: no limit
  double batch_linger_milliseconds = 0;
  int64_t max_message_bytes = int64_t{56} << 20;
  int64_t max_upload_bytes = int64_t{4} << 30;
  // Compressed messages are unpacked before anybody has looked at the caller's token or at their size.
  bool accept_compression = false;
  int max_concurrent_calls = 512;
  // Connections to the gRPC port, in all and from one host. 0: as many as the limit on descriptors leaves room for, and
  // three quarters of all.
  int max_connections = 0;
  int max_connections_per_host = 0;
  // Bytes of messages that have begun and are not whole, on all connections to the gRPC port.
  int64_t max_held_bytes = int64_t{256} << 20;
  int max_stream_messages = 256;  // in flight on one EncodeStream
  // How long a caller may take to send the message of a call once it is admitted.
  double body_timeout_seconds = 60;
  // Health watchers, which need no token; of one host half of that.
  int max_health_watchers = 1024;

  int max_running_jobs = 1;
  int max_queued_jobs = 1000;
  // The trainer's nice level among other programs. Training yields to Encode unless it is 0.
  int trainer_niceness = 5;
  // The training program; empty uses kwta-trainer beside the server's own program.
  std::string trainer_path;
  // How long a trainer may take to stop before it is killed.
  double trainer_stop_seconds = 10;
  // Directories searched for data sets after the uploads in the state directory.
  std::vector<std::string> data_directories;

  // After SIGTERM: how long the server keeps serving while load balancers notice, then how long calls in flight may
  // take.
  double drain_delay_seconds = 0;
  double drain_grace_seconds = 25;

  std::string log_level = "info";
  std::string log_format = "text";  // or "json"

  // Do not serve; report whether a server could.
  bool check_config = false;
};

// The result of parsing a command line: run with `options`, or (done) print `text` and exit with `exit_code`.
struct CommandLine {
  Options options;
  bool done = false;
  int exit_code = 0;
  std::string text;
};

// Reads flags, then the environment (--max-queue-rows is KWTA_MAX_QUEUE_ROWS), then the file named by --config. The
// first source that sets a value wins. Bad values return exit code 2 and a text that names the flag.
CommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace kwta::server
