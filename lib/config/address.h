// What a text must look like: addresses, headers, keys. Each check gives what was expected, or nothing when all is well.
#ifndef LLMROUTER_CONFIG_ADDRESS_H_
#define LLMROUTER_CONFIG_ADDRESS_H_

#include <string>
#include <string_view>

namespace llmrouter::config {

std::string check_listen(const std::string& address);      // host:port, [::1]:8000, unix:/path
std::string check_proxy(const std::string& url);           // http://, https://, socks5:// with an optional user:password@
std::string check_base_url(const std::string& url);        // http://, https://, demo:
std::string check_key_storage(const std::string& place);   // sqlite:PATH, memory:
std::string check_usage_storage(const std::string& place);
std::string check_origin(const std::string& origin);       // of CORS: *, or scheme://host[:port]
std::string check_pointer(const std::string& pointer);        // RFC 6901, not the whole document
std::string check_template_path(const std::string& path);
// A text of a template's body: its `${NAME}` and `${NAME:-default}`.
std::string check_template_text(const std::string& text);
std::string check_header_name(const std::string& name);
std::string check_header_value(const std::string& value);
std::string check_forwarded_header(const std::string& name);
std::string check_key_text(const std::string& secret);     // fits into a header; the fault does not show it
std::string check_address_range(const std::string& range);
std::string check_project(const std::string& id);          // of Google Cloud
std::string check_dialect_beside(const std::string& name); // of `also`
std::string check_api_version(const std::string& version); // 2024-10-21, 2025-03-01-preview, preview
std::string check_expression(const std::string& pattern);  // of a text filter
std::string check_filter_place(const std::string& place);
std::string check_label(const std::string& name);          // of keys and users, for people and logs

// True when nobody but this host can reach it.
bool is_loopback(std::string_view listen_address);

// Is there a version part (v1, v1beta, beta) in its path?
bool has_version_part(std::string_view url);
std::string without_slashes_behind(std::string url);
// A base URL as ProviderConfig holds it: no slash at the end, and the version part that the dialect's paths follow, with or without which it
// was given. `url` must have passed check_base_url.
std::string normalise_base_url(std::string url, std::string_view dialect);
// Azure's, from the resource alone or with a path: `/openai/v1`, or with an API version `/openai`, whose paths name the deployment. Any other path
// stays as it is.
// Vertex AI: what stands before `/publishers`. `project_path` ("/projects/P/locations/R") is appended to a URL that names no project.
std::string vertex_base_url(std::string url, const std::string& project_path);
std::string azure_base_url(std::string url, bool api_version);
// OLLAMA_HOST as its own program reads it: the scheme and the port may be missing, 0.0.0.0 is this host.
std::string ollama_url(std::string host);
// True when a URL leads to one of these listen addresses on this host.
bool leads_to(std::string_view url, std::string_view listen_address);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_ADDRESS_H_
