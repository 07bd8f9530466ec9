// A peer that speaks as much HTTP/2 as a test wants it to, and stops where it likes.
#pragma once

#include <cstddef>
#include <string>

namespace kwta::testing {

// Not thread-safe. What cannot be sent is not told: the server may have gone first.
class RawConnection {
 public:
  // Connects to 127.0.0.1:`port` from `source`, another address of this machine, and says hello. Throws
  // std::runtime_error if nobody listens.
  explicit RawConnection(int port, const std::string& source = "127.0.0.1");
  RawConnection(RawConnection&& other) noexcept;
  RawConnection& operator=(RawConnection&&) = delete;
  ~RawConnection();

  // Whether the server says hello too.
  bool AwaitHello();
  // Opens the call of `path`, such as /kwta.v1.EncoderService/EncodeStream.
  void StartCall(const std::string& path);
  void SendMessage(const std::string& serialized);
  // Says that a message comes, and sends nothing of it.
  void SendHalfAMessage();
  // Whether a message comes, which is put into `*message` if that is not null; false if the call or the connection ends
  // without one.
  bool AwaitMessage(std::string* message = nullptr);
  // The trailers that end the call, as gRPC's server sends them: names and values in full. Empty: the connection ends
  // without them.
  std::string AwaitTrailers();

  // Sends nothing more; still listens.
  void CloseSending();
  // Reads until the server closes the connection.
  void AwaitClose();
  // Goes without a goodbye: the connection is reset.
  void Vanish();

 private:
  struct Frame {
    int type, flags;
    std::string payload;
  };

  // False if the connection ends first.
  bool Read(void* out, size_t bytes);
  bool ReadFrame(Frame* frame);
  void Send(const std::string& bytes);
  void SendFrame(int type, int flags, const std::string& payload);

  int descriptor_;
};

}  // namespace kwta::testing
