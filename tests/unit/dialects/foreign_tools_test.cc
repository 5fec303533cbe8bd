// Tools that are no functions, and members that bring tools along, for targets of another dialect: not one of them is left out of a request that is about it.
#include <algorithm>
#include <map>
#include <utility>

#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace dialect_test;

namespace {

const char* const kDialects[] = {"openai", "responses", "anthropic", "gemini", "ollama", "cohere", "bedrock"};

// A request of a client's dialect, with a function `f` among its tools or without.
std::string request_of(std::string_view client, const std::string& tool, bool beside, const std::string& members = "") {
  std::string function, open = R"({"model":"m","messages":[{"role":"user","content":"q"}])";
  if (client == "responses") {
    open = R"({"model":"m","input":"q")";
    function = R"({"type":"function","name":"f","parameters":{"type":"object"}})";
  } else if (client == "anthropic") {
    open.insert(1, R"("max_tokens":5,)");
    function = R"({"name":"f","input_schema":{"type":"object"}})";
  } else if (client == "gemini") {
    open = R"({"model":"m","contents":[{"role":"user","parts":[{"text":"q"}]}])";
    function = R"({"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]})";
  } else {
    function = R"({"type":"function","function":{"name":"f","parameters":{"type":"object"}}})";
  }
  std::string tools = beside ? function : "";
  if (!tool.empty()) tools += (tools.empty() ? "" : ",") + tool;
  return open + (tools.empty() ? "" : ",\"tools\":[" + tools + "]") + (members.empty() ? "" : "," + members) + "}";
}

Result<Encoded> ask(std::string_view client, std::string_view upstream, const std::string& body) {
  ProviderConfig config = provider();
  if (upstream == "bedrock") config.region = "eu-west-1";
  return translate_request(client, upstream, body, config);
}

}  // namespace

TEST_CASE("tools that are no functions: what a caller set up is refused by name, by every other dialect") {
  struct Row {
    const char *client, *tool, *kind;
  };
  const Row rows[] = {
      {"openai", R"({"type":"function","name":"flat"})", "function"},
      {"openai", R"({"type":"builtin_function","function":{"name":"$web_search"}})", "builtin_function"},
      {"responses", R"({"type":"file_search","vector_store_ids":["vs_1"]})", "file_search"},
      {"responses", R"({"type":"web_search_preview_2025_03_11"})", "web_search_preview_2025_03_11"},
      {"responses", R"({"type":"web_search_2025_08_26"})", "web_search_2025_08_26"},
      {"responses", R"({"type":"code_interpreter","container":{"type":"auto"}})", "code_interpreter"},
      {"responses", R"({"type":"computer_use_preview","display_width":800})", "computer_use_preview"},
      {"responses", R"({"type":"mcp","server_label":"x","server_url":"https://mcp.example"})", "mcp"},
      {"responses", R"({"type":"local_shell"})", "local_shell"},
      {"responses", R"({"type":"apply_patch"})", "apply_patch"},
      {"anthropic", R"({"type":"web_search_20250305","name":"web_search"})", "web_search_20250305"},
      {"anthropic", R"({"type":"web_fetch_20250910","name":"web_fetch"})", "web_fetch_20250910"},
      {"anthropic", R"({"type":"code_execution_20250825","name":"code_execution"})", "code_execution_20250825"},
      {"anthropic", R"({"type":"bash_20250124","name":"bash"})", "bash_20250124"},
      {"anthropic", R"({"type":"text_editor_20250728","name":"str_replace_based_edit_tool"})", "text_editor_20250728"},
      {"anthropic", R"({"type":"computer_20251124","name":"computer","display_width_px":800})", "computer_20251124"},
      {"anthropic", R"({"type":"memory_20250818","name":"memory"})", "memory_20250818"},
      {"anthropic", R"({"type":"mcp_toolset","mcp_server_name":"x"})", "mcp_toolset"},
      {"gemini", R"({"googleSearch":{}})", "googleSearch"},
      {"gemini", R"({"google_search":{}})", "google_search"},
      {"gemini", R"({"codeExecution":{}})", "codeExecution"},
      {"gemini", R"({"urlContext":{}})", "urlContext"},
      {"gemini", R"({"computerUse":{"environment":"ENVIRONMENT_BROWSER"}})", "computerUse"},
      {"gemini", R"({"fileSearch":{"fileSearchStoreNames":["x"]}})", "fileSearch"},
      {"gemini", R"({"googleMaps":{}})", "googleMaps"},
  };
  for (const Row& row : rows) {
    for (const char* upstream : kDialects) {
      if (std::string_view(upstream) == row.client) continue;
      INFO(row.client << " " << row.kind << " to " << upstream);
      for (const bool beside : {true, false}) {
        auto out = ask(row.client, upstream, request_of(row.client, row.tool, beside));
        REQUIRE(!out.ok());
        CHECK(out.error().code == ErrorCode::kInvalidRequest);
        CHECK(out.error().param == (beside ? "tools[1]" : "tools[0]"));
        CHECK(out.error().message.find(" " + std::string(row.kind) + " ") != std::string::npos);
      }
    }
  }
}

TEST_CASE("tools that are no functions: what an agent offers beside its functions is dropped by name, and refused where it is all there is") {
  struct Row {
    const char *client, *tool, *name;
  };
  const Row rows[] = {{"responses", R"({"type":"web_search","external_web_access":true})", "tools.web_search"},
                      {"responses", R"({"type":"namespace","name":"n","tools":[]})", "tools.namespace"},
                      {"responses", R"({"type":"tool_search"})", "tools.tool_search"},
                      {"responses", R"({"type":"image_generation"})", "tools.image_generation"},
                      {"responses", R"({"type":"of tomorrow\n","x":1})", "tools.of_tomorrow_"},
                      {"anthropic", R"({"type":"tool_search_tool_bm25_20251119","name":"t"})", "tools.tool_search_tool_bm25_20251119"},
                      {"anthropic", R"({"type":"tomorrow_20280101","name":"t"})", "tools.tomorrow_20280101"},
                      {"gemini", R"({"ofTomorrow":{}})", "tools.ofTomorrow"}};
  for (const Row& row : rows) {
    for (const char* upstream : kDialects) {
      if (std::string_view(upstream) == row.client) continue;
      INFO(row.client << " " << row.name << " to " << upstream);
      auto out = ask(row.client, upstream, request_of(row.client, row.tool, true));
      REQUIRE(out.ok());
      CHECK(std::count(out->request.dropped.begin(), out->request.dropped.end(), row.name) == 1);
      CHECK(out->body.find("omorrow") == std::string::npos);
      CHECK(out->body.find("\"f\"") != std::string::npos);
      auto alone = ask(row.client, upstream, request_of(row.client, row.tool, false));
      REQUIRE(!alone.ok());
      CHECK(alone.error().param == "tools[0]");
    }
  }
}

TEST_CASE("members that bring tools or knowledge of one vendor along are refused by name elsewhere") {
  struct Row {
    const char *client, *member, *param;
  };
  const Row rows[] = {{"openai", R"("functions":[{"name":"f"}])", "functions"},
                      {"openai", R"("web_search_options":{})", "web_search_options"},
                      {"anthropic", R"("mcp_servers":[{"type":"url","url":"https://x","name":"n"}])", "mcp_servers"},
                      {"gemini", R"("cachedContent":"cachedContents/1")", "cachedContent"},
                      {"gemini", R"("cached_content":"cachedContents/1")", "cached_content"}};
  for (const Row& row : rows) {
    for (const char* upstream : kDialects) {
      if (std::string_view(upstream) == row.client) continue;
      INFO(row.client << " " << row.param << " to " << upstream);
      auto out = ask(row.client, upstream, request_of(row.client, "", true, row.member));
      REQUIRE(!out.ok());
      CHECK(out.error().param == row.param);
    }
  }
  // What says nothing is nothing.
  CHECK(ask("anthropic", "openai", request_of("anthropic", "", true, R"("mcp_servers":[])")).ok());
  CHECK(ask("openai", "anthropic", request_of("openai", "", true, R"("web_search_options":null,"function_call":"none","functions":[])")).ok());
}

TEST_CASE("a choice among some of the tools: every other dialect gets those alone, and the mode") {
  struct Row {
    const char *client, *tools, *choice;
  };
  const Row rows[] = {
      {"openai", R"({"type":"function","function":{"name":"g"}},{"type":"function","function":{"name":"h"}})",
       R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"MODE","tools":[{"type":"function","function":{"name":"h"}},{"type":"function","function":{"name":"f"}}]}})"},
      {"responses", R"({"type":"function","name":"g"},{"type":"function","name":"h"},{"type":"file_search","vector_store_ids":["v"]})",
       R"("tool_choice":{"type":"allowed_tools","mode":"MODE","tools":[{"type":"function","name":"h"},{"type":"function","name":"nobody"},{"type":"function","name":"f"}]})"},
      {"gemini", R"({"functionDeclarations":[{"name":"g"},{"name":"h"}]})", R"("toolConfig":{"functionCallingConfig":{"mode":"MODE","allowedFunctionNames":["h","f"]}})"},
  };
  for (const Row& row : rows) {
    for (const char* mode : {"auto", "required"}) {
      std::string choice = row.choice;
      const bool google = std::string_view(row.client) == "gemini", required = std::string_view(mode) == "required";
      choice.replace(choice.find("MODE"), 4, google ? (required ? "ANY" : "VALIDATED") : mode);
      for (const char* upstream : kDialects) {
        if (required && std::string_view(upstream) == "ollama") continue;  // has no such word, and says so
        INFO(row.client << " to " << upstream << ": " << choice);
        auto out = ask(row.client, upstream, request_of(row.client, row.tools, true, choice));
        if (!out) FAIL(out.error().message);
        CHECK(out->body.find("\"f\"") != std::string::npos);
        CHECK(out->body.find("\"h\"") != std::string::npos);
        CHECK(out->body.find("\"g\"") == std::string::npos);
        CHECK(out->body.find("file_search") == std::string::npos);
        CHECK(out->body.find("allowed") == std::string::npos);
        const char* const words[] = {"\"required\"", "\"any\"", "\"ANY\"", "\"REQUIRED\""};
        const bool forced = std::any_of(std::begin(words), std::end(words), [&](const char* word) { return out->body.find(word) != std::string::npos; });
        CHECK(forced == required);
      }
    }
  }
  // Hosted tools are allowed by their type, and stay what they are.
  const std::string both = R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"file_search"}]})";
  CHECK(!ask("responses", "anthropic", request_of("responses", R"({"type":"file_search","vector_store_ids":["v"]})", true, both)).ok());
  // Google's own are called, whatever functions may be.
  const std::string some = R"("toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}})";
  auto search = ask("gemini", "anthropic", request_of("gemini", R"({"googleSearch":{}})", true, some));
  REQUIRE(!search.ok());
  CHECK(search.error().param == "tools[1]");
}

TEST_CASE("a choice among tools that are not there is the caller's own fault; one of an unknown shape is refused") {
  struct Row {
    const char *client, *member, *param;
  };
  const Row rows[] = {
      {"openai", R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}})", "tool_choice"},
      {"openai", R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"sometimes","tools":[{"type":"function","function":{"name":"f"}}]}})", "tool_choice"},
      {"openai", R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}})", "tool_choice"},
      {"responses", R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"g"}]})", "tool_choice"},
      {"gemini", R"("toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g","h"]}})", "toolConfig.functionCallingConfig.allowedFunctionNames"}};
  for (const Row& row : rows) {
    for (const char* upstream : kDialects) {
      if (std::string_view(upstream) == row.client) continue;
      INFO(row.client << " " << row.member << " to " << upstream);
      auto out = ask(row.client, upstream, request_of(row.client, "", true, row.member));
      REQUIRE(!out.ok());
      CHECK(out.error().param == row.param);
    }
  }
}

TEST_CASE("a choice of a tool that would be left out is refused; where no tool is to be called none is missed") {
  const std::string tomorrow = R"({"type":"tomorrow_20280101","name":"t"})", search = R"({"type":"web_search_20250305","name":"web_search"})";
  for (const char* upstream : kDialects) {
    if (std::string_view(upstream) == "anthropic") continue;
    INFO(upstream);
    auto chosen = ask("anthropic", upstream, request_of("anthropic", tomorrow, true, R"("tool_choice":{"type":"tool","name":"t"})"));
    REQUIRE(!chosen.ok());
    CHECK(chosen.error().param == "tool_choice");
    CHECK(chosen.error().message.find("no function") != std::string::npos);

    auto none = ask("anthropic", upstream, request_of("anthropic", search, true, R"("tool_choice":{"type":"none"})"));
    if (!none) FAIL(none.error().message);
    CHECK(std::count(none->request.dropped.begin(), none->request.dropped.end(), "tools.web_search_20250305") == 1);
    CHECK(none->body.find("web_search") == std::string::npos);
  }
  auto function = ask("anthropic", "openai", request_of("anthropic", tomorrow, true, R"("tool_choice":{"type":"tool","name":"f"})"));
  if (!function) FAIL(function.error().message);
  CHECK(function->body.find("tool_choice") != std::string::npos);
}

TEST_CASE("what a vendor's own tools left in the history goes on to every other dialect, as text where it has one") {
  const std::string claude = R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"q"},
    {"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},
      {"type":"text","text":"said"},{"type":"tool_use","id":"t","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"g"}]},{"type":"text","text":"go"}]}],
    "tools":[{"name":"f","input_schema":{"type":"object"}}]})";
  for (const char* upstream : kDialects) {
    if (std::string_view(upstream) == "anthropic") continue;
    INFO(upstream);
    auto out = ask("anthropic", upstream, claude);
    if (!out) FAIL(out.error().message);
    for (const char* name : {"messages.server_tool_use", "messages.web_search_tool_result"}) {
      CHECK(std::count(out->request.dropped.begin(), out->request.dropped.end(), name) == 1);
    }
    CHECK(out->body.find("said") != std::string::npos);
    CHECK(out->body.find("(tool g)") != std::string::npos);
    CHECK(out->body.find("server_tool") == std::string::npos);
  }
  const std::string google = R"({"model":"m","contents":[{"role":"user","parts":[{"text":"q"}]},
    {"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"print 1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},{"hologram":{}},{"text":"said"}]},
    {"role":"user","parts":[{"text":"go"}]}]})";
  for (const char* upstream : kDialects) {
    if (std::string_view(upstream) == "gemini") continue;
    INFO(upstream);
    auto out = ask("gemini", upstream, google);
    if (!out) FAIL(out.error().message);
    CHECK(out->body.find("print 1") != std::string::npos);
    CHECK(out->request.dropped == std::vector<std::string>{"messages.hologram"});
  }
  // What a user says is not left out.
  for (const char* upstream : kDialects) {
    if (std::string_view(upstream) == "anthropic") continue;
    INFO(upstream);
    auto out = ask("anthropic", upstream, R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"hologram"}]}]})");
    REQUIRE(!out.ok());
    CHECK(out.error().param == "messages[0].content[0]");
  }
}

TEST_CASE("thousands of calls in one turn keep their results, with ids or without, in any order") {
  constexpr int kCalls = 3000;
  const auto all = [](const char* before, auto&& one) {
    std::string out = before;
    for (int i = 0; i < kCalls; ++i) out += (i == 0 ? "" : ",") + one(i);
    return out;
  };
  const auto n = [](int i) { return std::to_string(i); };
  const std::string ollama = R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[)" +
                             all("", [&](int i) { return R"({"function":{"name":"f)" + n(i) + R"(","arguments":{}}})"; }) + "]}," +
                             all("", [&](int i) { return R"({"role":"tool","tool_name":"f)" + n(kCalls - 1 - i) + R"(","content":"r)" + n(kCalls - 1 - i) + "\"}"; }) + "]}";
  const std::string gemini = R"({"model":"m","contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[)" +
                             all("", [&](int i) { return R"({"functionCall":{"name":"f)" + n(i) + R"(","args":{}}})"; }) + R"(]},{"role":"user","parts":[)" +
                             all("", [&](int i) { return R"({"functionResponse":{"name":"f)" + n(kCalls - 1 - i) + R"(","response":{"r":")" + n(kCalls - 1 - i) + "\"}}}"; }) + "]}]}";
  for (const auto& [client, body] : {std::pair<std::string, std::string>("ollama", ollama), {"gemini", gemini}}) {
    for (const char* upstream : {"anthropic", "openai"}) {
      INFO(client << " to " << upstream);
      auto out = ask(client, upstream, body);
      if (!out) FAIL(out.error().message);
      // Each result stands with the id of the call of its name.
      std::map<std::string, std::string> names;
      int results = 0;
      const auto result = [&](wire::JsonValue id, wire::JsonValue content) {
        const std::string said = content.string_or();
        const size_t digits = said.find_first_of("0123456789");
        REQUIRE(names.count(id.string_or()) == 1);
        CHECK("f" + said.substr(digits, said.find_first_not_of("0123456789", digits) - digits) == names[id.string_or()]);
        ++results;
      };
      for (wire::JsonValue message : wire::JsonElements(wire::find_member(wire::JsonValue(out->body), "messages"))) {
        for (wire::JsonValue call : wire::JsonElements(wire::find_member(message, "tool_calls"))) {
          names[wire::find_member(call, "id").string_or()] = wire::find(call, "function", "name").string_or();
        }
        if (wire::find_member(message, "role").equals("tool")) result(wire::find_member(message, "tool_call_id"), wire::find_member(message, "content"));
        for (wire::JsonValue block : wire::JsonElements(wire::find_member(message, "content"))) {
          if (wire::find_member(block, "type").equals("tool_use")) names[wire::find_member(block, "id").string_or()] = wire::find_member(block, "name").string_or();
          if (wire::find_member(block, "type").equals("tool_result")) result(wire::find_member(block, "tool_use_id"), wire::find_member(block, "content"));
        }
      }
      CHECK(names.size() == kCalls);
      CHECK(results == kCalls);
    }
  }
}
