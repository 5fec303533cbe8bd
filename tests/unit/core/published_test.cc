#include "core/published.h"

#include <thread>
#include <vector>

#include "catch.h"

using llmrouter::core::Published;

namespace {

struct Pair {
  explicit Pair(int n, std::atomic<int>& live) : a(n), b(n), live_(live) { ++live_; }
  ~Pair() { --live_; }
  int a, b;
  std::atomic<int>& live_;
};

}  // namespace

TEST_CASE("readers see whole values while writers replace them, and every old one is freed") {
  std::atomic<int> live{0};
  {
    Published<Pair> published(std::make_shared<const Pair>(0, live));
    std::atomic<bool> stop{false};
    std::atomic<int> torn{0}, went_back{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        int last = 0;
        while (!stop.load()) {
          auto p = published.load();
          if (p->a != p->b) ++torn;
          if (p->a < last) ++went_back;
          last = p->a;
        }
      });
    }
    for (int i = 1; i <= 2000; ++i) published.store(std::make_shared<const Pair>(i, live));
    stop.store(true);
    for (auto& t : threads) t.join();
    CHECK(torn == 0);
    CHECK(went_back == 0);
    CHECK(published.load()->a == 2000);
    CHECK(live == 1);
  }
  CHECK(live == 0);
}
