// The official Anthropic SDK for Node against llmrouter-server: its own dialect behind, and OpenAI's.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';

const server = process.env.SDK_SERVER;
const keys = JSON.parse(process.env.SDK_KEYS);
const settings = { baseURL: server, apiKey: keys.main, timeout: 20000, maxRetries: 0 };
const client = new Anthropic(settings);
const hello = [{ role: 'user', content: 'Say hello' }];
const weather = {
  name: 'get_weather',
  description: 'Weather of a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const both = [['claude/', 'toolu_'], ['up/', 'call_']];
const fresh = (name) => `${name}+${randomBytes(6).toString('hex')}`;
const ask = (model, more = {}) => client.messages.create({ model, max_tokens: 2000, messages: hello, ...more });

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

const tests = {
  async message() {
    for (const [provider] of both) {
      const answer = await ask(`${provider}plain`, { system: 'Be brief.' });
      assert.equal(answer.content[0].text, 'Hello, wörld!');
      assert.equal(answer.stop_reason, 'end_turn');
      assert.deepEqual([answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens], [8, 3, 7]);
    }
  },
  async stream() {
    for (const [provider] of both) {
      const kinds = [];
      const stream = client.messages.stream({ model: `${provider}plain`, max_tokens: 50, messages: hello }).on('streamEvent', (e) => kinds.push(e.type));
      assert.equal(await stream.finalText(), 'Hello, wörld!');
      const final = await stream.finalMessage();
      assert.deepEqual([final.usage.input_tokens, final.usage.output_tokens], [8, 7]);
      assert.equal(kinds.at(-1), 'message_stop');
    }
  },
  async parallel_tools_over_turns() {
    for (const [provider, prefix] of both) {
      for (const stream of [false, true]) {
        const messages = [...hello];
        const options = { tools: [weather], messages };
        const answer = stream ? await client.messages.stream({ model: `${provider}tools`, max_tokens: 50, ...options }).finalMessage() : await ask(`${provider}tools`, options);
        const calls = answer.content.filter((b) => b.type === 'tool_use');
        assert.deepEqual(calls.map((c) => [c.id, c.input]), [[`${prefix}paris`, { city: 'Paris' }], [`${prefix}tokyo`, { city: 'Tokyo' }]]);
        assert.equal(answer.stop_reason, 'tool_use');
        messages.push({ role: 'assistant', content: answer.content },
          { role: 'user', content: calls.map((c) => ({ type: 'tool_result', tool_use_id: c.id, content: 'sunny' })) });
        assert.equal((await ask(`${provider}tools`, { messages, tools: [weather] })).content[0].text, `${prefix}paris=sunny; ${prefix}tokyo=sunny`);
      }
    }
  },
  async thinking_with_the_next_turn() {
    const options = { thinking: { type: 'enabled', budget_tokens: 1024 }, tools: [weather] };
    const model = `claude/${fresh('thinking')}`;
    const answer = await client.messages.stream({ model, max_tokens: 4000, messages: hello, ...options }).finalMessage();
    assert.deepEqual(answer.content.map((b) => b.type), ['thinking', 'redacted_thinking', 'tool_use']);
    const messages = [...hello, { role: 'assistant', content: answer.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: answer.content[2].id, content: 'sunny' }] }];
    assert.equal((await ask(model, { messages, ...options })).content[0].text, 'toolu_paris=sunny');
  },
  async count_tokens() {
    assert.equal((await client.messages.countTokens({ model: 'claude/plain', messages: hello })).input_tokens, 321);
    assert.ok((await client.messages.countTokens({ model: 'up/plain', messages: hello })).input_tokens > 3);
  },
  async models() {
    const ids = [];
    for await (const model of client.models.list({ limit: 1 })) ids.push(model.id);
    assert.ok(ids.includes('resilient'), ids.join());
  },
  async errors() {
    await rejects(Anthropic.BadRequestError, () => ask(`claude/${fresh('status-400')}`));
    await rejects(Anthropic.RateLimitError, () => ask(`busy/${fresh('status-429')}`));
    await rejects(Anthropic.InternalServerError, () => ask(`claude/${fresh('status-529')}`));
    await rejects(Anthropic.NotFoundError, () => ask('no-such-model'));
    await rejects(Anthropic.AuthenticationError, () => new Anthropic({ ...settings, apiKey: 'sk-wrong' }).messages.create({ model: 'up/plain', max_tokens: 5, messages: hello }));
  },
  async a_cut_stream_never_ends_clean() {
    for (const model of [`claude/${fresh('cut-2')}`, `up/${fresh('cut-3')}`]) {
      const kinds = [];
      await assert.rejects(async () => {
        for await (const event of await ask(model, { stream: true })) kinds.push(event.type);
      });
      assert.ok(kinds.includes('content_block_delta') && !kinds.includes('message_stop'), kinds.join());
    }
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  if (process.argv.length > 2 && !process.argv.includes(name)) continue;
  try {
    await test();
    console.log(`ok anthropic-node ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAIL anthropic-node ${name}: ${String(e?.stack ?? e).replaceAll('\n', ' ').slice(0, 600)}`);
  }
}
process.exit(failed ? 1 : 0);
