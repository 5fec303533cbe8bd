// Google's credentials: what is sent for a token, what is made of the answer, what is refused.
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "catch.h"
#include "llmrouter/token.h"
#include "wire/base64.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

using namespace llmrouter;
using wire::find_member;
using wire::JsonValue;

namespace {

struct RsaKey {
  EVP_PKEY* key = EVP_RSA_gen(2048);
  std::string pem;
  RsaKey() {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    pem.assign(data, static_cast<size_t>(size));
    BIO_free(bio);
  }
  ~RsaKey() { EVP_PKEY_free(key); }
  bool verifies(std::string_view text, std::string_view signature) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const bool good = EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key) == 1 &&
                      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
    EVP_MD_CTX_free(context);
    return good;
  }
};

const RsaKey& rsa() {
  static const RsaKey key;
  return key;
}

std::string service_account(std::string_view token_uri = "https://oauth2.googleapis.com/token", std::string_view pem = rsa().pem) {
  std::string out;
  wire::JsonWriter w(out);
  w.begin_object();
  w.member("type", "service_account");
  w.member("private_key_id", "kid-1");
  w.member("private_key", pem);
  w.member("client_email", "bot@p.iam.gserviceaccount.com");
  if (!token_uri.empty()) w.member("token_uri", token_uri);
  w.end_object();
  return out;
}

std::string form_value(std::string_view form, std::string_view name) {
  const size_t at = form.find(std::string(name) + "=");
  if (at == std::string_view::npos) return {};
  const std::string_view rest = form.substr(at + name.size() + 1);
  return std::string(rest.substr(0, rest.find('&')));
}

std::shared_ptr<const TokenExchange> exchange(const std::string& key) {
  auto made = make_google_exchange(Secret(key));
  if (!made) FAIL(made.error().message);
  return *made;
}

}  // namespace

TEST_CASE("google: a service account signs what Google wants signed") {
  const WallTime now(std::chrono::seconds(1767323045));
  std::deque<std::string> owned;
  auto request = exchange("\n " + service_account())->request(now, owned);
  REQUIRE(request.ok());
  CHECK(request->method == "POST");
  CHECK(request->url == "https://oauth2.googleapis.com/token");
  REQUIRE(request->body.size() == 1);
  const std::string form(request->body[0]);
  CHECK(form_value(form, "grant_type") == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
  const std::string assertion = form_value(form, "assertion");
  const size_t first = assertion.find('.'), second = assertion.rfind('.');
  REQUIRE(first < second);
  const std::string header = wire::decode_base64(assertion.substr(0, first)).value();
  const std::string claims = wire::decode_base64(assertion.substr(first + 1, second - first - 1)).value();
  CHECK(header == R"({"alg":"RS256","typ":"JWT","kid":"kid-1"})");
  CHECK(find_member(JsonValue(claims), "iss").equals("bot@p.iam.gserviceaccount.com"));
  CHECK(find_member(JsonValue(claims), "scope").equals("https://www.googleapis.com/auth/cloud-platform"));
  CHECK(find_member(JsonValue(claims), "aud").equals("https://oauth2.googleapis.com/token"));
  CHECK(find_member(JsonValue(claims), "iat").integer() == 1767323045);
  CHECK(find_member(JsonValue(claims), "exp").integer() == 1767323045 + 3600);
  CHECK(rsa().verifies(assertion.substr(0, second), wire::decode_base64(assertion.substr(second + 1)).value()));
  CHECK(assertion.find('=') == std::string::npos);
}

TEST_CASE("google: an authorized user refreshes, a machine asks its metadata server") {
  std::deque<std::string> owned;
  auto user = exchange(R"({"type":"authorized_user","client_id":"id","client_secret":"se&cret","refresh_token":"1//r"})")->request({}, owned);
  REQUIRE(user.ok());
  CHECK(std::string(user->body[0]) == "grant_type=refresh_token&client_id=id&client_secret=se%26cret&refresh_token=1%2F%2Fr");
  auto machine = exchange("google-metadata")->request({}, owned);
  REQUIRE(machine.ok());
  CHECK(machine->method == "GET");
  CHECK(machine->url == "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token");
  CHECK(machine->headers.at(0).name == "metadata-flavor");
  CHECK(exchange("google-metadata:http://127.0.0.1:8080/")->request({}, owned)->url.find("http://127.0.0.1:8080/computeMetadata/") == 0);
}

TEST_CASE("google: tokens are asked for at Google's only, or at home") {
  std::deque<std::string> owned;
  CHECK(exchange(service_account(""))->request({}, owned)->url == "https://oauth2.googleapis.com/token");
  CHECK(exchange(service_account("https://accounts.google.com/o/oauth2/token"))->request({}, owned)->url == "https://oauth2.googleapis.com/token");
  CHECK(exchange(service_account("http://127.0.0.1:99/t"))->request({}, owned)->url == "http://127.0.0.1:99/t");
  for (const char* url : {"https://evil.example/token", "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/", "http://10.0.0.1/", "http://127.evil/",
                          "https://oauth2.googleapis.com.evil.example/token"}) {
    INFO(url);
    auto made = make_google_exchange(Secret(service_account(url)));
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == ErrorCode::kConfig);
    CHECK_FALSE(make_google_exchange(Secret("google-metadata:" + std::string(url))).ok());
  }
}

TEST_CASE("google: a credential that cannot be used is refused with the reason, without its secrets") {
  const auto error = [](const std::string& key) {
    auto made = make_google_exchange(Secret(key));
    return made.ok() ? std::string("accepted") : made.error().message;
  };
  CHECK(error("{").find("not valid JSON") != std::string::npos);
  CHECK(error(R"({"type":"external_account"})").find("type that is not supported") != std::string::npos);
  CHECK(error(R"({"type":"service_account","client_email":"a"})").find("private_key") != std::string::npos);
  CHECK(error(R"({"type":"service_account","private_key":"x"})").find("client_email") != std::string::npos);
  CHECK(error(service_account("", "-----BEGIN PRIVATE KEY-----\nQUJDREVG\n-----END PRIVATE KEY-----\n")).find("QUJD") == std::string::npos);
  CHECK(error(R"({"type":"authorized_user","client_id":"a"})").find("refresh_token") != std::string::npos);
  CHECK(is_google_credential("{}"));
  CHECK(is_google_credential(" \n{"));
  CHECK(is_google_credential("google-metadata"));
  CHECK_FALSE(is_google_credential("google-metadatum"));
  CHECK_FALSE(is_google_credential("ya29.token"));
  CHECK_FALSE(is_google_credential(""));
}

TEST_CASE("google: answers") {
  const auto google = exchange(service_account());
  auto good = google->read(200, R"({"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"})");
  REQUIRE(good.ok());
  CHECK(good->value.reveal() == "ya29.x");
  CHECK(good->lifetime.count() == 3599);
  auto refused = google->read(400, R"({"error":"invalid_grant","error_description":"Invalid JWT Signature."})");
  CHECK(refused.error().code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(refused.error().message.find("invalid_grant: Invalid JWT Signature.") != std::string::npos);
  CHECK(google->read(503, "<html>").error().code == ErrorCode::kUpstreamError);
  for (const char* body : {"", "{}", "<html>", R"({"access_token":"","expires_in":9})", R"({"access_token":"x"})", R"({"access_token":"a\nb","expires_in":9})",
                           R"({"access_token":"x","expires_in":-1})"}) {
    CHECK(google->read(200, body).error().code == ErrorCode::kUpstreamError);
  }
  CHECK(google->read(200, R"({"access_token":"x","expires_in":999999999})")->lifetime <= std::chrono::hours(24));
}

TEST_CASE("google: what is no credential of Google's is refused, also where it is short") {
  for (const char* text : {"", " ", "x", "sk-1", "google-metadat", "google-metadata2", "sk-0123456789abcdefghijklmnop"}) {
    CAPTURE(text);
    auto made = make_google_exchange(Secret(text));
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == ErrorCode::kConfig);
  }
}

TEST_CASE("google: a server that echoes what it was sent tells no secret") {
  auto made = make_google_exchange(Secret(R"({"type":"authorized_user","client_id":"c","client_secret":"very-secret-1","refresh_token":"very-secret-2"})"));
  REQUIRE(made.ok());
  auto token = (*made)->read(400, R"({"error":"invalid_grant very-secret-1","error_description":"Bad very-secret-2 and very-secret-2"})");
  REQUIRE_FALSE(token.ok());
  CHECK(token.error().message.find("very-secret") == std::string::npos);
  CHECK(token.error().message.find("invalid_grant ***: Bad *** and ***") != std::string::npos);
}
