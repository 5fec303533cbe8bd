// What the benchmarks' upstreams say, in the dialects that are measured: one whole answer, and a stream in three pieces, the middle one as often as
// there are chunks. HTTP bodies without their framing.
#ifndef LLMROUTER_TESTS_BENCH_ANSWERS_H_
#define LLMROUTER_TESTS_BENCH_ANSWERS_H_

#include <string>
#include <string_view>

namespace bench {

struct Answer {
  std::string whole;
  std::string begin, chunk, end;  // of a stream; `begin` holds nothing visible
};

inline Answer openai_answer(size_t reply_bytes) {
  const std::string front = R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench-1","choices":)";
  Answer a;
  a.whole = R"({"id":"chatcmpl-bench","object":"chat.completion","created":1760000000,"model":"bench-1","choices":[{"index":0,)"
            R"("message":{"role":"assistant","content":")" + std::string(reply_bytes, 'x') +
            R"(","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":25,)"
            R"("completion_tokens":150,"total_tokens":175,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},)"
            R"("completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default"})";
  a.begin = front + R"([{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})" + "\n\n";
  a.chunk = front + R"([{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]})" + "\n\n";
  a.end = front + R"([{"index":0,"delta":{},"finish_reason":"stop"}]})" + "\n\n" +
          front + R"([],"usage":{"prompt_tokens":25,"completion_tokens":100,"total_tokens":125}})" + "\n\ndata: [DONE]\n\n";
  return a;
}

inline Answer anthropic_answer(size_t reply_bytes) {
  const std::string front = R"({"id":"msg_bench","type":"message","role":"assistant","model":"bench-1","content":)";
  const std::string usage = R"("usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":)";
  Answer a;
  a.whole = front + R"([{"type":"text","text":")" + std::string(reply_bytes, 'x') +
            R"("}],"stop_reason":"end_turn","stop_sequence":null,)" + usage + R"(150,"service_tier":"standard"}})";
  a.begin = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":" + front + R"([],"stop_reason":null,"stop_sequence":null,)" + usage +
            "1}}}\n\nevent: content_block_start\ndata: "
            R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})" "\n\n";
  a.chunk = "event: content_block_delta\ndata: "
            R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" token"}})" "\n\n";
  a.end = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: "
          R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":100}})"
          "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  return a;
}

inline Answer gemini_answer(size_t reply_bytes) {
  const std::string front = R"({"candidates":[{"content":{"parts":[{"text":")";
  const std::string back = R"("usageMetadata":{"promptTokenCount":25,"candidatesTokenCount":100,"totalTokenCount":125},"modelVersion":"bench-1","responseId":"r-bench"})";
  Answer a;
  a.whole = front + std::string(reply_bytes, 'x') + R"("}],"role":"model"},"finishReason":"STOP","index":0}],)" + back;
  a.chunk = "data: " + front + R"( token"}],"role":"model"},"index":0}],)" + back + "\r\n\r\n";
  a.end = "data: " + front + R"(."}],"role":"model"},"finishReason":"STOP","index":0}],)" + back + "\r\n\r\n";
  return a;
}

}  // namespace bench

#endif  // LLMROUTER_TESTS_BENCH_ANSWERS_H_
