#include "unit/storage/failing_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>

namespace llmrouter::storage_test {
namespace {

std::atomic<int> countdown{0};  // 0: healthy; 1: the next one fails
std::atomic<int> code_to_give{SQLITE_IOERR};
std::atomic<bool> stays{false}, counts_reads{false}, has_failed{false};

sqlite3_vfs* real() { return static_cast<sqlite3_vfs*>(sqlite3_vfs_find("llmrouter-failing")->pAppData); }

// SQLITE_OK, or what this operation is to fail with.
int toll() {
  int left = countdown.load();
  while (left > 0 && !countdown.compare_exchange_weak(left, left == 1 && stays ? 1 : left - 1)) {
  }
  if (left != 1) return SQLITE_OK;
  has_failed = true;
  return code_to_give;
}

struct File {
  sqlite3_file base;  // the real file stands behind this one in memory
};
sqlite3_file* behind(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1); }
const sqlite3_io_methods* methods(sqlite3_file* file) { return behind(file)->pMethods; }

int close(sqlite3_file* f) { return methods(f)->xClose(behind(f)); }
int read(sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
  const int code = counts_reads ? toll() : SQLITE_OK;
  return code != SQLITE_OK ? code : methods(f)->xRead(behind(f), to, size, at);
}
int write(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
  const int code = toll();
  // A full disk takes a part first.
  if (code != SQLITE_OK && size > 1) methods(f)->xWrite(behind(f), from, size / 2, at);
  return code != SQLITE_OK ? code : methods(f)->xWrite(behind(f), from, size, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  const int code = toll();
  return code != SQLITE_OK ? code : methods(f)->xTruncate(behind(f), size);
}
int sync(sqlite3_file* f, int flags) {
  const int code = toll();
  return code != SQLITE_OK ? code : methods(f)->xSync(behind(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) { return methods(f)->xFileSize(behind(f), size); }
int lock(sqlite3_file* f, int level) { return methods(f)->xLock(behind(f), level); }
int unlock(sqlite3_file* f, int level) { return methods(f)->xUnlock(behind(f), level); }
int check_lock(sqlite3_file* f, int* out) { return methods(f)->xCheckReservedLock(behind(f), out); }
int control(sqlite3_file* f, int op, void* arg) { return methods(f)->xFileControl(behind(f), op, arg); }
int sector_size(sqlite3_file* f) { return methods(f)->xSectorSize(behind(f)); }
int characteristics(sqlite3_file* f) { return methods(f)->xDeviceCharacteristics(behind(f)); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  const int code = toll();
  return code != SQLITE_OK ? code : methods(f)->xShmMap(behind(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) { return methods(f)->xShmLock(behind(f), offset, n, flags); }
void shm_barrier(sqlite3_file* f) { methods(f)->xShmBarrier(behind(f)); }
int shm_unmap(sqlite3_file* f, int remove) { return methods(f)->xShmUnmap(behind(f), remove); }

const sqlite3_io_methods kMethods = {2,        close,         read,       write,           truncate, sync,     file_size,   lock,
                                     unlock,   check_lock,    control,    sector_size,     characteristics,    shm_map,     shm_lock,
                                     shm_barrier, shm_unmap,  nullptr,    nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (const int code = toll(); code != SQLITE_OK) return code == SQLITE_FULL ? SQLITE_CANTOPEN : code;
  behind(file)->pMethods = nullptr;
  const int code = real()->xOpen(real(), name, behind(file), flags, out_flags);
  if (behind(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}
int remove(sqlite3_vfs*, const char* name, int sync_directory) {
  const int code = toll();
  return code != SQLITE_OK ? code : real()->xDelete(real(), name, sync_directory);
}
int access(sqlite3_vfs*, const char* name, int flags, int* out) { return real()->xAccess(real(), name, flags, out); }
int full_path(sqlite3_vfs*, const char* name, int size, char* out) { return real()->xFullPathname(real(), name, size, out); }

sqlite3_vfs vfs;

}  // namespace

FailingVfs::FailingVfs() {
  sqlite3_vfs* original = sqlite3_vfs_find(nullptr);
  vfs = *original;
  vfs.pNext = nullptr;
  vfs.zName = "llmrouter-failing";
  vfs.pAppData = original;
  vfs.szOsFile = original->szOsFile + static_cast<int>(sizeof(File));
  vfs.xOpen = open;
  vfs.xDelete = remove;
  vfs.xAccess = access;
  vfs.xFullPathname = full_path;
  sqlite3_vfs_register(&vfs, 1);
  heal();
}

FailingVfs::~FailingVfs() {
  heal();
  sqlite3_vfs* original = real();
  sqlite3_vfs_unregister(&vfs);
  sqlite3_vfs_register(original, 1);
}

void FailingVfs::fail(int nth, int code, bool for_good, bool reads_too) {
  countdown = 0;
  code_to_give = code;
  stays = for_good;
  counts_reads = reads_too;
  has_failed = false;
  countdown = nth;
}

void FailingVfs::heal() { countdown = 0; }

bool FailingVfs::failed() const { return has_failed; }

}  // namespace llmrouter::storage_test
