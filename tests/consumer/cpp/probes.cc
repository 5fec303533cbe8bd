// A Client asks providers how they are where its configuration says so, on a thread of its own that ends with it.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "check.h"
#include "llmrouter/llmrouter.h"

namespace {

Checks check;

// Answers each connection with an empty list of models, and counts them.
class Provider {
 public:
  Provider() {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    const bool good = bind(fd_, reinterpret_cast<sockaddr*>(&at), size) == 0 && listen(fd_, 16) == 0 && getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) == 0;
    check(good, "a provider listens");
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Provider() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  int port() const { return port_; }
  int asked() {
    std::lock_guard<std::mutex> lock(mutex_);
    return asked_;
  }
  bool wait_for(int times) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return asked_ >= times; });
  }

 private:
  void serve() {
    for (;;) {
      const int client = accept(fd_, nullptr, nullptr);
      if (client < 0) return;
      char head[4096];
      [[maybe_unused]] auto got = read(client, head, sizeof head);
      const std::string answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"data\":[]}";
      [[maybe_unused]] auto put = write(client, answer.data(), answer.size());
      close(client);
      std::lock_guard<std::mutex> lock(mutex_);
      ++asked_;
      changed_.notify_all();
    }
  }

  int fd_ = -1, port_ = 0, asked_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

std::string yaml(const Provider& provider, const char* probe) {
  return "storage: {keys: 'memory:', usage: off}\nproviders: {lab: {base_url: 'http://127.0.0.1:" + std::to_string(provider.port()) +
         "/v1', api_key: k, models: {override: [m]}, health: {probe: " + probe + ", interval: 1s}}}\n";
}

}  // namespace

int main() {
  Provider provider;
  {
    auto opened = llmrouter::open_text(yaml(provider, "models"));
    check(opened.ok(), "a client with probes opens");
    if (!opened) return check.finish();
    llmrouter::Client client = std::move(*opened);
    check(provider.wait_for(2), "its provider is asked again and again, without a call");
    const auto health = client.router().model_health("lab/m");
    check(health.ok() && health->targets.size() == 1 && health->targets[0].known, "and its health is known");
  }
  const int asked = provider.asked();
  {
    auto quiet = llmrouter::open_text(yaml(provider, "off"));
    check(quiet.ok(), "a client without probes opens");
    pollfd nothing{-1, 0, 0};
    poll(&nothing, 1, 1500);
    check(provider.asked() == asked, "nobody is asked there, nor by the client that is gone");
  }
  return check.finish();
}
