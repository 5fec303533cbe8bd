#include "wire/multipart.h"

#include <algorithm>
#include <initializer_list>

#include "catch.h"
#include "wire/pieced_body.h"

using namespace llmrouter;
using namespace llmrouter::wire;

namespace {

std::string field(const std::string& name, const std::string& value, const std::string& more = {}) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"" + more + "\r\n\r\n" + value + "\r\n";
}

const std::string kFile = std::string("RIFF\r\n--X\r\n--XY\0\xff", 17);
const std::string kForm = field("model", "whisper") + field("file", kFile, "; filename=\"a %22b%22.wav\"\r\nContent-Type: audio/wav") + field("stream", "true") + "--XX--\r\n";

std::string value_of(const std::string& body, const FormField& f) { return body.substr(f.value_begin, f.value_end - f.value_begin); }

// Fed in these pieces, and then the rest.
Result<Form> scan_form(std::string_view body, std::string_view boundary, std::initializer_list<size_t> cuts = {}, const FormLimits& limits = {}) {
  FormReader reader(boundary, limits);
  size_t at = 0;
  for (size_t cut : cuts) {
    reader.feed(body.substr(at, cut - at));
    at = cut;
  }
  reader.feed(body.substr(at));
  return reader.finish();
}

std::string joined(const std::string& body, const std::vector<FormPiece>& pieces) {
  std::string out;
  for (const FormPiece& piece : pieces) out += piece.end > piece.begin ? std::string_view(body).substr(piece.begin, piece.size()) : piece.text;
  return out;
}

std::string spliced(const std::string& body, const std::vector<SpliceEdit>& edits) {
  auto form = scan_form(body, "XX");
  REQUIRE(form);
  std::list<std::string> owned;
  return joined(body, splice_form(*form, body.size(), edits, owned));
}

bool same(const FormField& a, const FormField& b) {
  return a.name == b.name && a.file == b.file && a.begin == b.begin && a.value_begin == b.value_begin && a.value_end == b.value_end && a.text == b.text;
}

// What a reader says of a body must not depend on how it came.
void check_same(const Result<Form>& a, const Result<Form>& b) {
  REQUIRE(a.ok() == b.ok());
  if (!a) {
    CHECK(a.error().message == b.error().message);
    return;
  }
  CHECK(a->end == b->end);
  REQUIRE(a->fields.size() == b->fields.size());
  for (size_t i = 0; i < a->fields.size(); ++i) CHECK(same(a->fields[i], b->fields[i]));
}

}  // namespace

TEST_CASE("form: its boundary") {
  CHECK(form_boundary("multipart/form-data; boundary=XX") == std::optional<std::string>("XX"));
  CHECK(form_boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b'()+_,-./:=?\"") == std::optional<std::string>("a b'()+_,-./:=?"));
  for (const char* bad : {"", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x", "multipart/form-data; boundary=\"x",
                          "multipart/form-data; boundary=\"x \"", "multipart/form-data; boundary=\"a\r\nb\""}) {
    CAPTURE(bad);
    CHECK_FALSE(form_boundary(bad));
  }
  CHECK_FALSE(form_boundary("multipart/form-data; boundary=" + std::string(71, 'x')));
}

// A key may be limited to some models: the field that is checked must be the one that any upstream reads.
TEST_CASE("form: what two parsers may read differently is refused") {
  const char* const heads[] = {
      "Content-Disposition: form-data; name=\"x\"; name*=utf-8''model\r\n",
      "Content-Disposition: form-data; name*0=\"mo\"; name*1=\"del\"\r\n",
      "Content-Disposition: form-data; name=\"x\"; name=\"model\"\r\n",
      "Content-Disposition: form-data;\r\n name=\"model\"\r\nX: z\r\n Content-Disposition: form-data; name=\"y\"\r\n",
      "X: y\nContent-Disposition: form-data; name=\"model\"\r\nContent-Disposition: form-data; name=\"zz\"\r\n",
      "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"\r\n",
      "Content-Disposition: form-data; name=\"mod\\el\"\r\n",
      "Content-Disposition: form-data; name=\"mod\\\"el\"\r\n",
      "Content-Disposition: form-data; name=\"x\"; filename=\"a\\\"; name=\\\"model\"\r\n",
      "Content-Disposition: form-data; name=\"x\"; filename=\"a\r\n",
      "no colon\r\nContent-Disposition: form-data; name=\"x\"\r\n",
  };
  for (const char* head : heads) {
    CAPTURE(head);
    CHECK_FALSE(scan_form(std::string("--XX\r\n") + head + "\r\nv\r\n--XX--\r\n", "XX"));
  }
  // A delimiter to those that take a line feed alone.
  const std::string smuggled = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nabc\n--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nsecret\r\n--XX--\r\n";
  for (size_t cut = 0; cut < smuggled.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(scan_form(smuggled, "XX", {cut}));
  }
  for (const char* type : {"multipart/form-data; boundary=XX; boundary=YY", "multipart/form-data; boundary=XX; boundary*=utf-8''YY", "multipart/form-data; boundary*=utf-8''YY; boundary=XX",
                           "multipart/form-data; boundary=XX; boundary*0=Y", "multipart/form-data; boundary=XX; a=\"b"}) {
    CAPTURE(type);
    CHECK_FALSE(form_boundary(type));
  }
}

TEST_CASE("form: fields, files and what looks like a delimiter") {
  auto form = scan_form(kForm, "XX");
  REQUIRE(form);
  REQUIRE(form->fields.size() == 3);
  CHECK(form->fields[0].name == "model");
  CHECK_FALSE(form->fields[0].file);
  CHECK(value_of(kForm, form->fields[0]) == "whisper");
  CHECK(form->fields[1].file);
  CHECK(value_of(kForm, form->fields[1]) == kFile);
  CHECK(value_of(kForm, form->fields[2]) == "true");
  CHECK(kForm.substr(form->end) == "--XX--\r\n");
}

TEST_CASE("form: preamble, epilogue, blanks behind the delimiter, empty values") {
  const std::string body = "a word before\r\n--XX  \r\ncontent-disposition:form-data;name=a\r\n\r\n\r\n--XX\r\nX-Other: y\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n--XX--and after";
  auto form = scan_form(body, "XX");
  REQUIRE(form);
  REQUIRE(form->fields.size() == 2);
  CHECK(form->fields[0].name == "a");
  CHECK(value_of(body, form->fields[0]).empty());
  CHECK(form->fields[1].name == "b");
  CHECK(value_of(body, form->fields[1]).empty());
  REQUIRE(scan_form("--XX--", "XX"));
  CHECK(scan_form("--XX--", "XX")->fields.empty());
}

TEST_CASE("form: cut anywhere before its last delimiter it is refused") {
  const size_t whole = kForm.size() - 2;  // the line end behind it may be missing
  for (size_t size = 0; size < whole; ++size) {
    CAPTURE(size);
    auto form = scan_form(kForm.substr(0, size), "XX");
    REQUIRE_FALSE(form);
    CHECK(form.error().code == ErrorCode::kInvalidRequest);
    CHECK(form.error().message.find("not a valid form") != std::string::npos);
  }
  CHECK(scan_form(kForm.substr(0, whole), "XX"));
}

TEST_CASE("form: what is refused") {
  CHECK_FALSE(scan_form("--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--", "XX"));
  CHECK_FALSE(scan_form("--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--XX--", "XX"));
  CHECK_FALSE(scan_form("--XX\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\nx\r\n--XX--", "XX"));
  CHECK_FALSE(scan_form("--XXx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--XX--", "XX"));
  CHECK_FALSE(scan_form("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\nX: " + std::string(9000, 'x') + "\r\n\r\nx\r\n--XX--", "XX"));
  std::string many;
  for (int i = 0; i < 257; ++i) many += field("a", "x");
  auto refused = scan_form(many + "--XX--", "XX");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("256") != std::string::npos);
}

TEST_CASE("form: however it is cut, it is the same form or the same fault") {
  const std::string odd = "before\r\n--X\r\n--XX \t\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n--XX\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\r\n\r\n--X\r\r\n--XX--after\r\n--XX\r\n";
  for (const std::string& body : {kForm, odd, std::string("--XX--"), std::string("no form"), kForm.substr(0, kForm.size() - 3), std::string("--XX\r\n\r\nx\r\n--XX--"),
                                  std::string("--XX-\r\n"), std::string("--XX -\r\n"), std::string("--XX\rx"), std::string("\r\n--XX--"),
                                  std::string("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--XX--")}) {
    CAPTURE(body);
    const auto whole = scan_form(body, "XX");
    for (size_t i = 0; i <= body.size(); ++i) check_same(scan_form(body, "XX", {i}), whole);
    for (size_t i = 0; i + 1 < body.size(); ++i) check_same(scan_form(body, "XX", {i, i + 1}), whole);
    FormReader reader("XX");
    for (char c : body) reader.feed({&c, 1});
    check_same(reader.finish(), whole);
  }
  auto form = scan_form(odd, "XX");
  REQUIRE(form);
  REQUIRE(form->fields.size() == 2);
  CHECK(form->fields[1].text == "\r\r\n\r\n--X\r");
}

TEST_CASE("form: of values the beginning is kept, of files nothing, and names have a limit") {
  FormLimits limits;
  limits.max_text = 10;
  for (size_t size : {0, 9, 10, 11, 20, 5000}) {
    const std::string value(size, 'v');
    const std::string body = field("a", value) + field("f", value, "; filename=x") + "--XX--";
    for (size_t cut : {size_t{60}, size_t{70}, body.size() / 2, body.size() - 8}) {
      auto form = scan_form(body, "XX", {std::min(cut, body.size())}, limits);
      REQUIRE(form);
      CHECK(form->fields[0].text == value.substr(0, 10));
      CHECK(form->fields[0].size() == size);
      CHECK(form->fields[0].whole_text() == (size <= 10));
      CHECK(form->fields[1].text.empty());
      CHECK(form->fields[1].size() == size);
    }
  }
  CHECK(scan_form(field(std::string(256, 'n'), "x") + "--XX--", "XX"));
  auto refused = scan_form(field("a", "x") + field(std::string(257, 'n'), "x") + "--XX--", "XX");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "the body is not a valid form: the name of field 2 is over 256 bytes");
  refused = scan_form("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\nX: " + std::string(9000, 'x') + "\r\n\r\nx\r\n--XX--", "XX");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("8192") != std::string::npos);
}

TEST_CASE("form: fields are set, added and taken out, and the rest stays byte for byte") {
  CHECK(spliced(kForm, {}) == kForm);
  std::string expected = kForm;
  expected.replace(expected.find("whisper"), 7, "large-v3");
  CHECK(spliced(kForm, {{BodyEdit::Kind::kSet, "model", {}, "\"large-v3\""}}) == expected);
  CHECK(spliced(kForm, {{BodyEdit::Kind::kRemove, "stream", {}, {}}}) == kForm.substr(0, kForm.find("--XX\r\nContent-Disposition: form-data; name=\"stream\"")) + "--XX--\r\n");
  CHECK(spliced(kForm, {{BodyEdit::Kind::kDefault, "model", {}, "\"other\""}}) == kForm);
  CHECK(spliced(kForm, {{BodyEdit::Kind::kDefault, "temperature", {}, "0.5"}, {BodyEdit::Kind::kSet, "temperature", {}, "1"}}) ==
        kForm.substr(0, kForm.size() - 8) + "--XX\r\ncontent-disposition: form-data; name=\"temperature\"\r\n\r\n1\r\n--XX--\r\n");
  const std::string twice = field("a", "1") + field("b", "2") + field("a", "3") + "--XX--";
  CHECK(spliced(twice, {{BodyEdit::Kind::kSet, "a", {}, "9"}}) == field("a", "9") + field("b", "2") + "--XX--");
  // An empty value without its own line end.
  const std::string tight = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--XX--";
  CHECK(spliced(tight, {{BodyEdit::Kind::kSet, "a", {}, "9"}}) == "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n9\r\n--XX--");
}

namespace {

// Gives at most `most` bytes at once; the `fail_at`-th read fails; ends after `real` bytes whatever it said.
class Text final : public BodySource {
 public:
  explicit Text(std::string text) : real(text.size()), text_(std::move(text)) {}
  size_t size() const noexcept override { return text_.size(); }
  Result<size_t> read(size_t offset, char* to, size_t count) const override {
    if (++reads == fail_at) return Error(ErrorCode::kIo, "scripted");
    return offset < real ? text_.copy(to, std::min({count, most, real - offset}), offset) : size_t{0};
  }
  size_t most = static_cast<size_t>(-1), real;
  int fail_at = 0;
  mutable int reads = 0;

 private:
  std::string text_;
};

}  // namespace

TEST_CASE("form: a changed one is read from where it lies, from any place on and in any steps") {
  const std::string body = "x\r\n" + kForm + "after";
  auto form = scan_form(body, "XX");
  REQUIRE(form);
  const std::vector<SpliceEdit> edits = {{BodyEdit::Kind::kSet, "model", {}, "\"\""}, {BodyEdit::Kind::kSet, "language", {}, "\"en\""}};
  std::list<std::string> owned;
  auto pieces = splice_form(*form, body.size(), edits, owned);
  const std::string expected = joined(body, pieces);
  CHECK(expected.find("\r\n\r\n\r\n--XX") != std::string::npos);
  auto text = std::make_shared<Text>(body);
  const PiecedBody changed(text, std::move(pieces), std::move(owned));
  REQUIRE(changed.size() == expected.size());
  for (size_t most : {size_t{1}, size_t{7}, size_t{1000}}) {
    text->most = most;
    for (size_t offset = 0; offset <= expected.size(); ++offset) {
      std::string got(expected.size() + 5 - offset, '?');
      size_t done = 0;
      while (done < expected.size() - offset) {
        auto read = changed.read(offset + done, got.data() + done, got.size() - done);
        REQUIRE(read);
        REQUIRE(*read > 0);
        done += *read;
      }
      got.resize(done);
      REQUIRE((got == expected.substr(offset)));
      char byte;
      REQUIRE(changed.read(expected.size(), &byte, 1));
      CHECK(*changed.read(expected.size(), &byte, 1) == 0);
      if (offset < expected.size()) {
        REQUIRE(*changed.read(offset, &byte, 1) == 1);
        CHECK(byte == expected[offset]);
      }
    }
  }
  // A source that fails or ends early is not papered over.
  std::string got(expected.size(), '?');
  text->fail_at = text->reads + 1;
  CHECK(changed.read(0, got.data(), got.size()).error().code == ErrorCode::kIo);
  text->real = 20;
  auto part = changed.read(0, got.data(), got.size());
  REQUIRE(part);
  CHECK(*part < expected.size());
}
