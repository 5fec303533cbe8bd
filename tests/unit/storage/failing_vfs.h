// A disk that fails when told to. Stands before SQLite's own VFS, as the default one, while it lives.
#ifndef LLMROUTER_TESTS_UNIT_STORAGE_FAILING_VFS_H_
#define LLMROUTER_TESTS_UNIT_STORAGE_FAILING_VFS_H_

namespace llmrouter::storage_test {

// Counts what writes: opens, writes, truncates, syncs, deletes, the shared memory of the log; reads too when asked. One at a time. Thread-safe.
class FailingVfs {
 public:
  FailingVfs();
  ~FailingVfs();
  FailingVfs(const FailingVfs&) = delete;
  FailingVfs& operator=(const FailingVfs&) = delete;

  // The `nth` operation from now on (1: the next) fails with `code`; `for_good`: all that follow fail as well.
  void fail(int nth, int code, bool for_good = false, bool reads_too = false);
  void heal();
  bool failed() const;  // since the last fail()
};

}  // namespace llmrouter::storage_test

#endif  // LLMROUTER_TESTS_UNIT_STORAGE_FAILING_VFS_H_
