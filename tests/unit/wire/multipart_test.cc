#include "wire/multipart.h"

#include "catch.h"

using namespace llmrouter;
using namespace llmrouter::wire;

namespace {

std::string field(const std::string& name, const std::string& value, const std::string& more = {}) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"" + more + "\r\n\r\n" + value + "\r\n";
}

const std::string kFile = std::string("RIFF\r\n--X\r\n--XY\0\xff", 17);
const std::string kForm = field("model", "whisper") + field("file", kFile, "; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav") + field("stream", "true") + "--XX--\r\n";

std::string value_of(const std::string& body, const FormField& f) { return body.substr(f.value_begin, f.value_end - f.value_begin); }

std::string spliced(const std::string& body, const std::vector<SpliceEdit>& edits) {
  auto form = scan_form(body, "XX");
  REQUIRE(form);
  std::list<std::string> owned;
  std::vector<std::string_view> pieces;
  splice_form(body, *form, edits, owned, pieces);
  std::string out;
  for (std::string_view piece : pieces) out += piece;
  return out;
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
