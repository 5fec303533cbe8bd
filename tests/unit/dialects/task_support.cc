#include "task_support.h"

namespace dialect_test {

std::string TaskTrip::header(std::string_view name) const {
  for (const HttpHeader& h : request.http.headers) {
    if (h.name == name) return h.value;
  }
  return {};
}

Result<std::unique_ptr<TaskTrip>> task_scan(std::string_view dialect_name, Operation operation, std::string body, RequestPath path) {
  auto trip = std::make_unique<TaskTrip>();
  trip->asked = std::move(body);
  trip->client = dialect(dialect_name)->new_task_client(operation);
  if (!trip->client) return Error(ErrorCode::kNotSupported, "no such client");
  trip->client->set_path(path);
  auto facts = trip->client->scan(trip->asked);
  if (!facts) return std::move(facts).error();
  trip->facts = std::move(*facts);
  return trip;
}

Result<std::unique_ptr<TaskTrip>> task_request(std::string_view from, std::string_view to, Operation operation, const std::string& body,
                                               ProviderConfig config, RequestPath path, const std::vector<BodyEdit>& edits) {
  auto scanned = task_scan(from, operation, body, std::move(path));
  if (!scanned) return scanned;
  TaskTrip& trip = **scanned;
  trip.upstream = dialect(to)->new_task_upstream(operation);
  if (!trip.upstream) return Error(ErrorCode::kNotSupported, "no such upstream");
  EncodeInput input;
  TaskRequest task;
  if (from == to && trip.facts.relayable && trip.upstream->relays(config, trip.facts)) {
    input.body = trip.asked;
    input.facts = &trip.facts;
    input.edits = &edits;
  } else {
    auto decoded = trip.client->decode_task();
    if (!decoded) return std::move(decoded).error();
    task = std::move(*decoded);
    if (auto applied = apply_edits(edits, task); !applied) return std::move(applied).error();
    input.task = &task;
  }
  input.provider = &config;
  input.key = "sk-test";
  input.upstream_model = "upstream-model";
  input.stream = trip.facts.stream;
  input.foreign = from != to;
  if (auto encoded = trip.upstream->encode(input, trip.request); !encoded) return std::move(encoded).error();
  for (std::string_view piece : trip.request.http.body) trip.body += piece;
  return scanned;
}

Result<std::string> task_answer(TaskTrip& trip, std::string_view upstream_body) {
  auto response = trip.upstream->decode_task(upstream_body);
  if (!response) return std::move(response).error();
  std::string out;
  trip.client->encode_task(*response, out);
  return out;
}

}  // namespace dialect_test
