// Forms put aside as they come: in memory, in a file without a name, on a disk that is full.
#include "llmrouter/body.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "catch.h"

using namespace llmrouter;

namespace {

constexpr const char* kType = "multipart/form-data; boundary=XX";

std::string form_of(size_t file_bytes) {
  std::string sound(file_bytes, '\0');
  for (size_t i = 0; i < sound.size(); ++i) sound[i] = static_cast<char>(i * 2654435761u >> 13);
  return "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n" + sound +
         "\r\n--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--XX--\r\n";
}

int open_files() {
  int count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (folder != nullptr && ::readdir(folder) != nullptr) ++count;
  if (folder != nullptr) ::closedir(folder);
  return count;
}

// A folder of its own; what is left in it is a failure.
struct Folder {
  Folder() {
    char name[] = "/tmp/llmrouter-form-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { CHECK(::rmdir(path.c_str()) == 0); }
  std::string path;
};

// Next to nothing in memory.
UploadOptions on_disk(const Folder& folder) {
  UploadOptions options;
  options.directory = folder.path;
  options.memory = 10;
  return options;
}

// An upload that has begun and is on disk already.
std::unique_ptr<FormUpload> half_there(const Folder& folder) {
  auto upload = FormUpload::begin(kType, on_disk(folder));
  REQUIRE(upload);
  (*upload)->feed(form_of(5000).substr(0, 3000));
  return std::move(*upload);
}

std::shared_ptr<const BodySource> put_aside(std::string_view body, const UploadOptions& options, size_t step) {
  auto upload = FormUpload::begin(kType, options);
  REQUIRE(upload);
  for (size_t at = 0; at < body.size(); at += step) (*upload)->feed(body.substr(at, step));
  return (*upload)->finish();
}

std::string read_all(const BodySource& source, size_t step) {
  std::string out(source.size(), '?');
  for (size_t at = 0; at < out.size();) {
    auto n = source.read(at, out.data() + at, std::min(step, out.size() - at));
    REQUIRE(n);
    REQUIRE(*n > 0);
    at += *n;
  }
  return out;
}

}  // namespace

TEST_CASE("upload: the bytes come back as they were, from memory and from a file that has no name") {
  const Folder folder;
  const int files = open_files();
  for (size_t size : {size_t{0}, size_t{10}, size_t{999}, size_t{1000}, size_t{1001}, size_t{300000}}) {
    const std::string body = form_of(size);
    for (size_t step : {size_t{1}, size_t{100}, body.size()}) {
      if (step == 1 && size > 5000) continue;
      UploadOptions options;
      options.directory = folder.path;
      options.memory = 1000;
      auto source = put_aside(body, options, step);
      CAPTURE(size, step);
      CHECK(source->size() == body.size());
      CHECK(open_files() == files + (body.size() > 1000 ? 1 : 0));
      CHECK((read_all(*source, 333) == body));
      CHECK((read_all(*source, body.size()) == body));  // again from the start
      auto form = source->form();
      REQUIRE(form);
      REQUIRE((*form)->fields.size() == 2);
      CHECK((*form)->fields[0].size() == size);
      CHECK((*form)->fields[1].text == "m");
      char byte;
      CHECK(*source->read(body.size(), &byte, 1) == 0);
    }
  }
  CHECK(open_files() == files);
}

TEST_CASE("upload: one that is given up leaves nothing") {
  const Folder folder;
  const int files = open_files();
  {
    const auto upload = half_there(folder);
    CHECK(open_files() == files + 1);
  }
  CHECK(open_files() == files);
}

TEST_CASE("upload: a form at fault is dropped at once and says so at its end") {
  const Folder folder;
  const int files = open_files();
  const auto upload = half_there(folder);
  upload->feed("\r\n--XXbad");
  CHECK(open_files() == files);
  upload->feed(std::string(100000, 'x'));
  auto source = upload->finish();
  CHECK(source->size() == 0);
  REQUIRE_FALSE(source->form());
  CHECK(source->form().error().code == ErrorCode::kInvalidRequest);
  CHECK(put_aside(form_of(50).substr(0, 60), on_disk(folder), 7)->form().error().message == "the body is not a valid form: it breaks off");
  CHECK(open_files() == files);
  for (const char* bad : {"application/json", "multipart/form-data", "multipart/mixed; boundary=x"}) {
    auto refused = FormUpload::begin(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kUnsupportedMediaType);
  }
}

TEST_CASE("upload: a folder that is not there and a disk that is full are told, and nothing leaks") {
  const Folder folder;
  const int files = open_files();
  UploadOptions options;
  options.directory = folder.path + "/missing";
  options.memory = 1000;
  auto nowhere = put_aside(form_of(5000), options, 512);
  REQUIRE_FALSE(nowhere->form());
  CHECK(nowhere->form().error().code == ErrorCode::kIo);
  CHECK(nowhere->form().error().http_status() == 500);
  CHECK(nowhere->form().error().message.find("the upload could not be put aside: ") == 0);

  options.directory = folder.path;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  auto full = put_aside(form_of(9000), options, 512);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(full->form());
  CHECK(full->form().error().code == ErrorCode::kIo);
  CHECK(full->form().error().http_status() == 507);
  CHECK(full->size() == 0);
  CHECK(open_files() == files);
}
