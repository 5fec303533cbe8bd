// The official OpenAI SDK against llmrouter-server: only the base URL is other.
//   npm install openai && node chat.mjs [MODEL]      OPENAI_BASE_URL (http://127.0.0.1:8000/v1), OPENAI_API_KEY (any, until a key exists)
import OpenAI from "openai";

const model = process.argv[2] ?? "demo/echo";
const client = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL ?? "http://127.0.0.1:8000/v1",
  apiKey: process.env.OPENAI_API_KEY ?? "none",
});

const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content: "Why is the sky blue?" }] });
console.log(answer.choices[0].message.content);

const stream = await client.chat.completions.create({ model, messages: [{ role: "user", content: "one word at a time" }], stream: true });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
process.stdout.write("\n");
