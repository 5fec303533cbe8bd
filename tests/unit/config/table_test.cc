// What must hold for every row of the table of keys, whatever rows there are.
#include "config/table.h"

#include <fstream>
#include <set>
#include <sstream>

#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;
using config::Key;
using config::Type;

namespace {

// A file that gives `value` to the row's key, everything that it needs beside it included. `path` becomes the path of the value.
std::string file_with(const Key& key, const std::string& value, std::string* path) {
  std::string text, at;
  int indent = 0;
  auto blanks = [&] { return std::string(static_cast<size_t>(indent) * 2, ' '); };
  std::string rest = key.path;
  while (!rest.empty()) {
    std::string name;
    if (rest.rfind("[]", 0) == 0) {
      rest.erase(0, 2);
      at += "[0]";
      text += blanks() + "-";
      if (rest.empty()) break;
      rest.erase(0, 1);
      text += "\n";
      ++indent;
      continue;
    }
    const size_t end = rest.find_first_of(".[");
    name = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(rest[end] == '.' ? end + 1 : end);
    if (name == "*") name = "lab";
    at += (at.empty() ? "" : ".") + name;
    text += blanks() + name + ":";
    if (rest.empty()) break;
    text += "\n";
    ++indent;
  }
  *path = at;
  return text + " " + value + "\n";
}

// Values that no key of the type takes.
std::vector<std::string> wrong_values(const Key& key) {
  switch (key.type) {
    case Type::kMap: return key.stands_for.empty() ? std::vector<std::string>{"text", "[a]", "5"} : std::vector<std::string>{};
    case Type::kNamed: return {"text", "[a]"};
    case Type::kList: return {"{a: b}"};
    case Type::kText: return {"[a]", "{a: b}"};
    case Type::kSecret: return {"[a]", "{a: b}"};
    case Type::kTexts: return {"{a: b}", "[[a]]", "[{a: b}]", "['']", "[~]"};
    case Type::kHeaders: return {"text", "[a]", "{a: [b]}", "{'a b': c}"};
    case Type::kJsonMap: case Type::kTemplate: return {"text", "[a]", "5"};
    case Type::kWord: return {"nonsense", "[a]", "{a: b}", "5"};
    case Type::kBool: return {"yes", "1", "[true]", "{a: b}", "on"};
    case Type::kInt: return {"many", "1.5", "-1", "5k", "[1]", "{a: b}", "99999999999999999999"};
    case Type::kCount: return {"many", "1.5", "-1", "[1]", "{a: b}", "99999999999999999999k"};
    case Type::kPercent: return {"50", "101%", "-1%", "half", "[5%]", "{a: b}"};
    case Type::kDuration: return {"5", "soon", "-5s", "5 s", "[5s]", "{a: b}", "99999999999d"};
    case Type::kSize: return {"big", "5k", "-1", "[5]", "{a: b}", "99999999TiB"};
    case Type::kRate: return {"60", "0/min", "fast", "[60/min]", "{per: 60s}", "{requests: 1}", "{a: b}"};
    case Type::kUsd: case Type::kPrice: return {"much", "-1", "1e3", "0.0000000001", "$5", "[5]", "{a: b}"};
    case Type::kRange: return {"hot", "[1]", "[0, 1, 2]", "[1, 0]", "[0, 99]", "-1", "{a: b}"};
    case Type::kTime: return {"soon", "2027", "2027-02-30", "[2027-01-01]", "{a: b}"};
  }
  return {};
}

bool has_fault_under(const ConfigResult& result, const std::string& path) {
  for (const ConfigFault& fault : result.faults) {
    if (fault.path.compare(0, path.size(), path) == 0) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("every row of the table is whole") {
  std::set<std::string> paths;
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    CAPTURE(key.path);
    CHECK(paths.insert(key.path).second);
    CHECK(key.doc.size() > 3);
    CHECK(key.doc.back() ==
          (key.path == "routing.cooldown.failures" || key.path == "routing.cooldown.within" || key.path == "routing.cooldown.for" ? ',' : '.'));
    const bool collection = key.type == Type::kMap || key.type == Type::kNamed || key.type == Type::kList;
    CHECK((collection || key.later || key.set != nullptr));
    if (key.type == Type::kWord) CHECK_FALSE(config::words(key.bounds).empty());
    // What leads to it is in the table, so that every level has words of its own.
    for (size_t dot = key.path.find_first_of(".["); dot != std::string::npos; dot = key.path.find_first_of(".[", dot + 1)) {
      if (dot > 0) CHECK(paths.count(key.path.substr(0, dot)) == 1);
    }
  }
  CHECK(paths.size() > 150);
}

TEST_CASE("a value of a wrong type is refused at every key, with its place") {
  size_t tried = 0;
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    for (const std::string& value : wrong_values(key)) {
      std::string path;
      const std::string text = file_with(key, value, &path);
      const ConfigResult result = load(text);
      CAPTURE(text);
      INFO(words(result));
      CHECK(has_fault_under(result, path));
      for (const ConfigFault& fault : result.faults) {
        CHECK(fault.file == "t.yaml");
        CHECK(fault.line > 0);
        CHECK(fault.column > 0);
        CHECK_FALSE(fault.message.empty());
      }
      ++tried;
    }
  }
  CHECK(tried > 600);
}

TEST_CASE("a value beyond its bounds is refused, the bounds themselves are not") {
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    const size_t dots = key.bounds.find("..");
    if (dots == std::string::npos || key.later || key.type == Type::kRange) continue;
    for (const std::string& bound : {key.bounds.substr(0, dots), key.bounds.substr(dots + 2)}) {
      std::string path;
      const std::string text = file_with(key, bound, &path);
      CAPTURE(text);
      const ConfigResult result = load(text);
      INFO(words(result));
      // `burst` alone has another fault, that it needs `requests`.
      if (key.needs.empty()) CHECK_FALSE(has_fault_under(result, path));
    }
  }
}

TEST_CASE("an unknown key is refused inside every map") {
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    if (key.type != Type::kMap || key.later) continue;
    std::string path;
    const std::string text = file_with(key, "{zyxwvu: 1}", &path);
    CAPTURE(text);
    const ConfigResult result = load(text);
    INFO(words(result));
    bool found = false;
    for (const ConfigFault& fault : result.faults)
      found = found || (fault.path == path + ".zyxwvu" && fault.message.find("unknown key; known here: ") == 0);
    CHECK(found);
  }
}

TEST_CASE("the default that the table shows is the default that the structs have") {
  const std::string usual = dump(load("").config);
  size_t tried = 0;
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    if (key.later || key.fallback.empty() || key.path.find('*') != std::string::npos || key.path.find("[]") != std::string::npos) continue;
    std::string path;
    const std::string text = file_with(key, key.fallback, &path);
    CAPTURE(text);
    const ConfigResult result = load(text);
    INFO(words(result));
    CHECK(result.ok());
    CHECK(dump(result.config) == usual);
    ++tried;
  }
  CHECK(tried >= 30);
}

TEST_CASE("what is not supported yet takes its default and nothing else") {
  size_t tried = 0;
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    if (!key.later) continue;
    ++tried;
    std::string nothing = key.fallback.empty() ? "\"\"" : key.fallback, path;
    std::string something = "zyxwvu";
    if (key.type == Type::kTexts || key.type == Type::kList) nothing = "[]", something = "[a]";
    if (key.type == Type::kNamed || key.type == Type::kHeaders || key.type == Type::kJsonMap) nothing = "{}", something = "{a: b}";
    if (key.type == Type::kBool) something = key.fallback == "true" ? "false" : "true";
    if (key.type == Type::kDuration) something = "7s";
    if (key.type == Type::kPercent) something = "7%";
    for (const std::string& value : {nothing, std::string("~")}) {
      const std::string text = file_with(key, value, &path);
      CAPTURE(text);
      const ConfigResult result = load(text);
      INFO(words(result));
      CHECK_FALSE(has_fault_under(result, path));
    }
    const std::string text = file_with(key, something, &path);
    CAPTURE(text);
    const ConfigResult result = load(text);
    INFO(words(result));
    bool found = false;
    for (const ConfigFault& fault : result.faults) found = found || (fault.path == path && fault.message.find("not supported yet") == 0);
    CHECK(found);
  }
  CHECK(tried > 0);
}

TEST_CASE("docs/configuration.md is what the table says") {
  std::ifstream file(std::string(LLMROUTER_SOURCE_DIR) + "/docs/configuration.md");
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  // To mend: llmrouter-server reference > docs/configuration.md
  CHECK(text.str() == config_reference_markdown());
}

TEST_CASE("the reference names every key, and its example is a good file") {
  const std::string reference = config_reference_markdown();
  const auto rows = config::table();
  for (const Key& key : rows->keys()) {
    CAPTURE(key.path);
    CHECK((reference.find("| `" + key.path + "` |") != std::string::npos || reference.find("\n## " + key.path + "\n") != std::string::npos));
  }
  const size_t begin = reference.find("```yaml\n") + 8;
  const std::string example = reference.substr(begin, reference.find("```", begin) - begin);
  CAPTURE(example);
  const ConfigResult result = load(example, {{"OPENAI_API_KEY", "k"}, {"CI_KEY", "c"}});
  INFO(words(result));
  CHECK(result.ok());
  CHECK(result.config.models.size() == 2);
  CHECK(result.config.keys.size() == 1);
}
