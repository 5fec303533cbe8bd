// The official OpenAI SDK for Node against llmrouter-server: only the base URL and the key are changed.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const server = process.env.SDK_SERVER;
const upstream = process.env.SDK_UPSTREAM;
const keys = JSON.parse(process.env.SDK_KEYS);
const settings = { baseURL: `${server}/v1`, apiKey: keys.main, timeout: 20000, maxRetries: 0 };
const client = new OpenAI(settings);
const hello = [{ role: 'user', content: 'Say hello' }];
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
  },
};

const fresh = (name) => `${name}+${randomBytes(6).toString('hex')}`;

async function seen(model) {
  const records = await (await fetch(`${upstream}/_seen?model=${encodeURIComponent(model)}`)).json();
  for (const record of records) {
    record.text = Buffer.from(record.body, 'base64').toString();
    record.json = JSON.parse(record.text);
  }
  return records;
}

async function soon(condition, limit = 5000) {
  for (const end = Date.now() + limit; Date.now() < end; await new Promise((r) => setTimeout(r, 20))) {
    if (await condition()) return true;
  }
  return false;
}

// The error that `call` ends with, which has to be of exactly this class.
async function rejects(kind, call) {
  let error;
  try {
    await call();
  } catch (e) {
    error = e;
  }
  assert.ok(error, `expected ${kind.name}, nothing was thrown`);
  assert.equal(error.constructor, kind, `expected ${kind.name}, found ${error.constructor.name}: ${error.message}`);
  return error;
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta.content ?? '').join('');
const ask = (model, more = {}) => () => client.withOptions(more).chat.completions.create({ model, messages: hello });
const callsOf = (calls) => calls.map((c) => [c.id, c.function.name, c.function.arguments]);
const bothCalls = [
  ['call_paris', 'get_weather', '{"city":"Paris"}'],
  ['call_tokyo', 'get_weather', '{"city":"Tokyo"}'],
];

const tests = {
  async chat() {
    const answer = await client.chat.completions.create({ model: 'up/plain', messages: hello, temperature: 0.3 });
    assert.equal(answer.choices[0].message.content, 'Hello, wörld!');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.equal(answer.usage.total_tokens, 18);
    assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 3);
  },

  async demo_echo() {
    const messages = [{ role: 'user', content: 'one two three' }];
    const answer = await client.chat.completions.create({ model: 'demo/echo', messages });
    assert.match(answer.choices[0].message.content, /one two three/);
    assert.match(textOf(await collect(await client.chat.completions.create({ model: 'demo/echo', messages, stream: true }))), /one two three/);
  },

  async stream_without_usage() {
    const chunks = await collect(await client.chat.completions.create({ model: 'up/plain', messages: hello, stream: true }));
    assert.equal(textOf(chunks), 'Hello, wörld!');
    assert.deepEqual(chunks.filter((c) => c.choices.length === 0 || c.usage), []);
    assert.deepEqual(chunks.map((c) => c.choices[0].finish_reason).filter(Boolean), ['stop']);
  },

  async stream_with_usage() {
    const chunks = await collect(
      await client.chat.completions.create({ model: 'up/plain', messages: hello, stream: true, stream_options: { include_usage: true } }),
    );
    assert.equal(textOf(chunks), 'Hello, wörld!');
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.total_tokens, 18);
    assert.deepEqual(chunks.slice(0, -1).filter((c) => c.usage), []);
  },

  async stream_helper() {
    const deltas = [];
    const stream = client.chat.completions.stream({ model: 'up/plain', messages: hello, stream_options: { include_usage: true } });
    stream.on('content', (delta) => deltas.push(delta));
    const final = await stream.finalChatCompletion();
    assert.equal(deltas.join(''), 'Hello, wörld!');
    assert.equal(final.choices[0].message.content, 'Hello, wörld!');
    assert.equal((await stream.totalUsage()).total_tokens, 18);
  },

  async stream_aborted_early_reaches_the_upstream() {
    const model = fresh('words-200000');
    const stream = await client.chat.completions.create({ model: `up/${model}`, messages: hello, stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    assert.ok(await soon(async () => (await seen(model))[0].gone), 'the upstream still streams');
  },

  async tools() {
    const answer = await client.chat.completions.create({ model: 'up/tools', messages: hello, tools: [weather] });
    assert.equal(answer.choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(callsOf(answer.choices[0].message.tool_calls), bothCalls);
  },

  async tools_stream_helper() {
    const final = await client.chat.completions.stream({ model: 'up/tools', messages: hello, tools: [weather] }).finalChatCompletion();
    assert.equal(final.choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(callsOf(final.choices[0].message.tool_calls), bothCalls);
  },

  async run_tools() {
    for (const stream of [false, true]) {
      const asked = [];
      const tool = zodFunction({
        name: 'get_weather',
        description: 'Weather of a city',
        parameters: z.object({ city: z.string() }),
        function: ({ city }) => {
          asked.push(city);
          return `rain in ${city}`;
        },
      });
      const runner = client.chat.completions.runTools({ model: 'up/tools', messages: hello, tools: [tool], stream });
      assert.equal(await runner.finalContent(), 'call_paris=rain in Paris; call_tokyo=rain in Tokyo');
      assert.deepEqual(asked.sort(), ['Paris', 'Tokyo']);
    }
  },

  async parse_helper() {
    const City = z.object({ name: z.string(), people: z.number().int() });
    const format = zodResponseFormat(City, 'city');
    const answer = await client.chat.completions.parse({ model: 'up/json', messages: hello, response_format: format });
    assert.deepEqual(answer.choices[0].message.parsed, { name: 'Paris', people: 2102650 });
    const final = await client.chat.completions.stream({ model: 'up/json', messages: hello, response_format: format }).finalChatCompletion();
    assert.deepEqual(final.choices[0].message.parsed, { name: 'Paris', people: 2102650 });
  },

  async image_parts_arrive_unchanged() {
    const model = fresh('plain');
    const content = [
      { type: 'text', text: 'What is it?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0KGgo/+'.repeat(40000)}`, detail: 'high' } },
      { type: 'hologram', hologram: { angle: 0.1 } },
    ];
    await client.chat.completions.create({ model: `up/${model}`, messages: [{ role: 'user', content }] });
    assert.deepEqual((await seen(model))[0].json.messages, [{ role: 'user', content }]);
  },

  async unknown_request_fields_arrive_byte_for_byte() {
    const model = fresh('plain');
    let sent;
    const spy = new OpenAI({
      ...settings,
      fetch: (url, init) => {
        sent = init.body;
        return fetch(url, init);
      },
    });
    await spy.chat.completions.create({
      novel_first: [1e-7, null, 'é\u2028"\\/'],
      model: `up/${model}`,
      messages: [{ role: 'user', content: 'Grüße 🌍', novel: 1 }],
      nested: { model: 'not this one', stream: true },
    });
    assert.match(sent, /novel_first/);
    assert.equal((await seen(model))[0].text, sent.replace(`"up/${model}"`, `"${model}"`));
  },

  async unknown_response_members_come_back() {
    const answer = await client.chat.completions.create({ model: 'up/plain', messages: hello });
    assert.equal(answer.novel_top_member.deep[2], 'é');
    assert.deepEqual(answer.choices[0].novel_choice_member, [0]);
    assert.equal(answer.choices[0].message.novel_message_member, 'kept');
    assert.deepEqual(answer.usage.novel_usage_member, { joules: 1.5 });
    const chunks = await collect(await client.chat.completions.create({ model: 'up/plain', messages: hello, stream: true }));
    assert.deepEqual(chunks.map((c) => c.choices[0].delta.novel_delta_member?.k).filter(Boolean), ['Hello', ',', ' wörld', '!']);
  },

  async several_choices() {
    const answer = await client.chat.completions.create({ model: 'up/many', messages: hello, n: 3 });
    assert.deepEqual(answer.choices.map((c) => c.message.content), ['choice 0', 'choice 1', 'choice 2']);
    const final = await client.chat.completions.stream({ model: 'up/many', messages: hello, n: 3 }).finalChatCompletion();
    assert.deepEqual(final.choices.map((c) => c.message.content), ['a0 b0 c0 ', 'a1 b1 c1 ', 'a2 b2 c2 ']);
  },

  async logprobs() {
    const answer = await client.chat.completions.create({ model: 'up/logprobs', messages: hello, logprobs: true, top_logprobs: 2 });
    assert.deepEqual(answer.choices[0].logprobs.content.map((t) => [t.token, t.logprob]), [['Hi', -0.25], ['!', -0.5]]);
    const final = await client.chat.completions
      .stream({ model: 'up/logprobs', messages: hello, logprobs: true, top_logprobs: 2 })
      .finalChatCompletion();
    assert.deepEqual(final.choices[0].logprobs.content.map((t) => t.token), ['Hi', '!']);
  },

  async models() {
    const ids = async () => (await collect(await client.models.list())).map((m) => m.id);
    assert.ok(await soon(async () => (await ids()).includes('up/org/model-a')), (await ids()).join(' '));
    for (const id of ['resilient', 'up/plain', 'up/org/model-a']) assert.equal((await client.models.retrieve(id)).id, id);
    await rejects(OpenAI.NotFoundError, () => client.models.retrieve('no/such-model'));
  },

  async errors() {
    const bad = await rejects(OpenAI.BadRequestError, ask('up/status-400'));
    assert.deepEqual([bad.status, bad.code, bad.param, bad.type], [400, 'scripted_400', 'messages', 'invalid_request_error']);
    assert.match(bad.message, /scripted 400/);
    assert.ok(bad.requestID);
    const ours = await rejects(OpenAI.BadRequestError, () => client.chat.completions.create({ model: 'up/plain', messages: 'none' }));
    assert.deepEqual([ours.code, ours.param], ['invalid_request', 'messages']);
    assert.equal((await rejects(OpenAI.AuthenticationError, ask('up/plain', { apiKey: 'sk-wrong' }))).code, 'invalid_key');
    assert.equal((await rejects(OpenAI.AuthenticationError, ask('up/plain', { apiKey: keys.expired }))).code, 'expired_key');
    assert.equal((await rejects(OpenAI.PermissionDeniedError, ask('up/tools', { apiKey: keys.narrow }))).code, 'model_not_allowed');
    assert.equal((await rejects(OpenAI.NotFoundError, ask('up-plain'))).code, 'model_not_found');
    assert.equal((await rejects(OpenAI.ConflictError, ask('up/status-409'))).code, 'scripted_409');
    assert.equal((await rejects(OpenAI.UnprocessableEntityError, ask('up/status-422'))).code, 'scripted_422');
    assert.equal((await rejects(OpenAI.RateLimitError, ask('busy2/status-429'))).code, 'upstream_rate_limited');
    const server502 = await rejects(OpenAI.InternalServerError, ask(`up/${fresh('status-500')}`));
    assert.deepEqual([server502.status, server502.code], [502, 'upstream_error']);
    const theirs = await rejects(OpenAI.InternalServerError, ask('badkey/plain'));
    assert.deepEqual([theirs.status, theirs.code], [502, 'upstream_credentials_rejected']);
  },

  async upstream_timeout() {
    const error = await rejects(OpenAI.InternalServerError, () =>
      client.chat.completions.create({ model: `hasty/${fresh('slow')}`, messages: hello, stream: true }),
    );
    assert.deepEqual([error.status, error.code], [504, 'upstream_timeout']);
  },

  async client_timeout_reaches_the_upstream() {
    const model = fresh('slow');
    await rejects(OpenAI.APIConnectionTimeoutError, ask(`up/${model}`, { timeout: 400 }));
    assert.ok(await soon(async () => (await seen(model))[0].gone), 'the upstream is still asked');
  },

  async a_cut_stream_never_ends_clean() {
    const words = [];
    let error;
    try {
      for await (const chunk of await client.chat.completions.create({ model: `up/${fresh('cut-3')}`, messages: hello, stream: true })) {
        words.push(chunk.choices[0].delta.content);
      }
    } catch (e) {
      error = e;
    }
    assert.ok(error, `a clean end after ${words}`);
    assert.ok(error instanceof OpenAI.APIError, `not an APIError: ${error}`);
    assert.equal(error.status, undefined);
    assert.deepEqual(words.filter(Boolean), ['w0 ', 'w1 ', 'w2 ']);
  },

  async a_cut_stream_breaks_the_connection_too() {
    const response = await client.chat.completions.create({ model: `up/${fresh('cut-3')}`, messages: hello, stream: true }).asResponse();
    let text = '';
    await assert.rejects(async () => {
      for await (const piece of response.body) text += Buffer.from(piece).toString();
    }, 'the body ended as if it were whole');
    assert.match(text, /"error"/);
    assert.doesNotMatch(text, /\[DONE\]/);
  },

  async raw_response_headers() {
    const { data, response, request_id } = await client.chat.completions
      .create({ model: 'resilient', messages: hello }, { headers: { 'x-request-id': 'my-request-2' } })
      .withResponse();
    assert.equal(data.choices[0].message.content, 'Hello, wörld!');
    assert.equal(request_id, 'my-request-2');
    assert.deepEqual(
      ['x-llmrouter-provider', 'x-llmrouter-model', 'x-llmrouter-attempts'].map((h) => response.headers.get(h)),
      ['up', 'plain+resilient', '2'],
    );
  },

  async our_limit_and_max_retries() {
    const times = [];
    const hurried = new OpenAI({
      ...settings,
      apiKey: keys.hurried2,
      fetch: (url, init) => {
        times.push(Date.now());
        return fetch(url, init);
      },
    });
    const create = (c) => c.chat.completions.create({ model: 'up/plain', messages: hello });
    await create(hurried);
    const error = await rejects(OpenAI.RateLimitError, () => create(hurried));
    assert.deepEqual([error.code, error.headers.get('retry-after')], ['rate_limited', '1']);
    times.length = 0;
    const answer = await create(hurried.withOptions({ maxRetries: 3, fetch: hurried.fetch }));
    assert.equal(answer.choices[0].message.content, 'Hello, wörld!');
    assert.ok(times.length >= 2, 'the second request was not limited');
    assert.ok(times[1] - times[0] > 500, `retry-after was not honoured: ${times[1] - times[0]} ms`);
  },

  async responses() {
    for (const [provider, text] of [['up', 'Hello, wörld!'], ['native', 'native wörld']]) {
      const answer = await client.responses.create({ model: `${provider}/plain`, input: 'Say hello', instructions: 'Be brief' });
      assert.equal(answer.output_text, text);
      assert.equal(answer.usage.total_tokens, 18);
      const events = await collect(await client.responses.create({ model: `${provider}/plain`, input: 'Say hello', stream: true }));
      assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
      assert.equal(events.at(-1).response.status, 'completed');
      const final = await client.responses.stream({ model: `${provider}/plain`, input: 'Say hello' }).finalResponse();
      assert.equal(final.output_text, text);
    }
  },

  async responses_tools_and_the_next_turn() {
    const tools = [{ type: 'function', strict: true, ...weather.function }];
    for (const model of ['up/tools', 'native/plain']) {
      const input = [{ role: 'user', content: 'How is the weather?' }];
      const final = await client.responses.stream({ model, input, tools }).finalResponse();
      const calls = final.output.filter((i) => i.type === 'function_call');
      assert.equal(calls[0].call_id, 'call_paris');
      assert.deepEqual(JSON.parse(calls[0].arguments), { city: 'Paris' });
      const results = calls.map((c) => ({ type: 'function_call_output', call_id: c.call_id, output: `sunny ${c.call_id}` }));
      const answer = await client.responses.create({ model, tools, input: [...input, ...calls, ...results] });
      for (const c of calls) assert.ok(answer.output_text.includes(`sunny ${c.call_id}`), answer.output_text);
    }
  },

  async responses_errors() {
    const error = await rejects(OpenAI.BadRequestError, () => client.responses.create({ model: 'up/plain', input: 'x', previous_response_id: 'resp_1' }));
    assert.equal(error.param, 'previous_response_id');
    await assert.rejects(async () => collect(await client.responses.create({ model: 'up/cut-2', input: 'x', stream: true })));
  },

  async completions() {
    for (const [provider, text] of [['up', 'Hello, wörld!'], ['native', 'native']]) {
      const answer = await client.completions.create({ model: `${provider}/plain`, prompt: 'Once' });
      assert.equal(answer.choices[0].text, text);
      const chunks = await collect(await client.completions.create({ model: `${provider}/plain`, prompt: 'Once', stream: true }));
      assert.equal(chunks.map((c) => c.choices[0].text).join(''), text);
    }
  },

  async many_streams_at_once() {
    const one = async (i) => textOf(await collect(await client.chat.completions.create({ model: `up/words-20+node${i}`, messages: hello, stream: true })));
    const texts = await Promise.all(Array.from({ length: 100 }, (_, i) => one(i)));
    assert.deepEqual(texts, Array.from({ length: 100 }, (_, i) => `node${i} `.repeat(20)));
  },
};

const only = process.argv.slice(2);
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  if (only.length && !only.includes(name)) continue;
  try {
    await test();
    console.log(`ok node ${name}`);
  } catch (e) {
    failed += 1;
    const where = /openai_test\.mjs:(\d+)/.exec(e.stack ?? '')?.[1];
    console.log(`FAIL node ${name}: ${e.name}: ${String(e.message).replaceAll('\n', ' ').slice(0, 600)} (line ${where})`);
  }
}
process.exit(failed ? 1 : 0);
