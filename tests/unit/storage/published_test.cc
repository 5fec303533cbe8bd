// The lock-free parts: publication and inbox. For ThreadSanitizer and AddressSanitizer too.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "storage/inbox.h"
#include "storage/published.h"

namespace llmrouter::storage {
namespace {

std::atomic<int> alive{0};

// Two halves that must always agree; a use after free shows in either.
struct Value {
  explicit Value(int n) : first(n), second(std::make_unique<int>(n)) { ++alive; }
  ~Value() {
    --alive;
    first = -1;
  }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  int first;
  std::unique_ptr<int> second;
};

}  // namespace

TEST_CASE("A published value is whole for every reader, and every old one is freed") {
  {
    constexpr int kValues = 100000;  // many: what this could catch happens within a few instructions
    Published<Value> published(std::make_unique<Value>(0));
    std::atomic<bool> stop{false};
    std::atomic<int64_t> reads{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&] {
        int last = 0;
        while (!stop) {
          const int seen = published.read([](const Value& v) { return v.first == *v.second ? v.first : -2; });
          if (seen < last) ++wrong;  // went back, or (-1, -2) was freed or torn
          last = seen;
          ++reads;
        }
      });
    }
    for (int n = 1; n <= kValues; ++n) published.publish(std::make_unique<Value>(n));
    while (reads < 1000) std::this_thread::yield();
    stop = true;
    for (std::thread& t : threads) t.join();
    CHECK(wrong == 0);
    published.publish(std::make_unique<Value>(kValues + 1));
    CHECK(published.retired() == 0);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("What is being read is kept until the reader is done") {
  Published<Value> published(std::make_unique<Value>(1));
  published.read([&](const Value& v) {
    published.publish(std::make_unique<Value>(2));
    published.publish(std::make_unique<Value>(3));
    CHECK(v.first == 1);
    CHECK(*v.second == 1);
    CHECK(published.retired() == 1);
    CHECK(published.read([](const Value& now) { return now.first; }) == 3);
  });
  published.publish(std::make_unique<Value>(4));
  CHECK(published.retired() == 0);
}

namespace {
// Calls `f` while `depth` readers hold slots.
void while_reading(Published<Value>& published, size_t depth, const std::function<void()>& f) {
  if (depth == 0) return f();
  published.read([&](const Value&) { while_reading(published, depth - 1, f); });
}
}  // namespace

TEST_CASE("More readers than there are slots read as well") {
  Published<Value> published(std::make_unique<Value>(1));
  while_reading(published, Published<Value>::kSlots, [&] {
    published.publish(std::make_unique<Value>(2));  // no slot names this one
    published.read([&](const Value& v) {
      published.publish(std::make_unique<Value>(3));
      published.publish(std::make_unique<Value>(4));
      CHECK(published.retired() == 3);
      CHECK(v.first == 2);
      CHECK(*v.second == 2);
      CHECK(published.read([](const Value& now) { return now.first; }) == 4);
    });
    published.publish(std::make_unique<Value>(5));
    CHECK(published.retired() == 1);  // the one that the slots name
  });
  published.publish(std::make_unique<Value>(6));
  CHECK(published.retired() == 0);
}

TEST_CASE("An inbox gives everything back once, in the order each thread put it") {
  struct Item {
    int thread, number;
    std::string text;
  };
  constexpr int kThreads = 4, kItems = 5000;
  Inbox<Item> inbox;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kItems; ++i) inbox.put({t, i, std::string(40, 'x')});
      --running;
    });
  }
  std::vector<int> next(kThreads, 0);
  int total = 0;
  for (bool last = false; !last;) {
    last = running == 0;
    inbox.drain([&](Item&& item) {
      if (item.number != next[static_cast<size_t>(item.thread)]++ || item.text.size() != 40) FAIL("out of order");
      ++total;
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(total == kThreads * kItems);
}

TEST_CASE("What is left in an inbox is freed with it") {
  Inbox<std::shared_ptr<int>> inbox;
  auto item = std::make_shared<int>(1);
  CHECK(inbox.put(std::shared_ptr<int>(item)));
  CHECK(item.use_count() == 2);
  { Inbox<std::shared_ptr<int>> other; other.put(std::shared_ptr<int>(item)); CHECK(item.use_count() == 3); }
  CHECK(item.use_count() == 2);
}

}  // namespace llmrouter::storage
