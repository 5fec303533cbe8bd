// A JSON value that a JSON schema would accept.
#ifndef LLMROUTER_NET_DEMO_SCHEMA_H_
#define LLMROUTER_NET_DEMO_SCHEMA_H_

#include <string>

#include "wire/json_scan.h"

namespace llmrouter::net {

// Required properties (all of them when the schema names none), strings as "text", numbers as 1, booleans as true; enum, const,
// minimum, maximum, minLength, minItems, anyOf, oneOf, allOf (the first), local $ref are looked at, everything else is not. Always
// valid JSON, whatever the schema is; recursion ends with null.
std::string example_of(wire::JsonValue schema);

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_DEMO_SCHEMA_H_
