// Bedrock behind, played with the AWS SDK for JavaScript's own parts: its encoder writes the event streams that the server reads, its decoder
// says which of them are broken, its signer makes each signature anew. Starts a server of its own (SDK_BINARY).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { SignatureV4 } from '@smithy/signature-v4';
import { fromUtf8, toUtf8 } from '@smithy/util-utf8';

const ACCESS = 'AKIDEXAMPLE', SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', SESSION = 'FQoG/token+x==';
const MODEL = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const codec = new EventStreamCodec(toUtf8, fromUtf8);
const string = (value) => ({ type: 'string', value });

// One message, with every type of header that the format has beside those that count.
const message = (headers, payload) => Buffer.from(codec.encode({ headers, body: fromUtf8(JSON.stringify(payload)) }));
const event = (name, payload) => message({
  ':event-type': string(name), ':content-type': string('application/json'), ':message-type': string('event'),
  yes: { type: 'boolean', value: true }, no: { type: 'boolean', value: false }, b: { type: 'byte', value: -1 }, s: { type: 'short', value: -2 },
  i: { type: 'integer', value: -3 }, t: { type: 'timestamp', value: new Date(1767323045000) }, bin: { type: 'binary', value: new Uint8Array([0, 255, 10]) },
  u: { type: 'uuid', value: '0f0e0d0c-0b0a-0908-0706-050403020100' },
}, payload);
const exception = (name, words) => message({ ':exception-type': string(name), ':content-type': string('application/json'), ':message-type': string('exception') }, { message: words });

const TALK = [
  event('messageStart', { role: 'assistant' }),
  event('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } }),
  event('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'c2ln' } } }),
  event('contentBlockStop', { contentBlockIndex: 0 }),
  event('contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'Héllo ' } }),
  event('contentBlockDelta', { contentBlockIndex: 1, delta: { text: '🎉' }, p: 'abcdefgh' }),
  event('contentBlockStop', { contentBlockIndex: 1 }),
  event('contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 't1', name: 'get_weather' } } }),
  event('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":' } } }),
  event('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '"Oslo"}' } } }),
  event('contentBlockStop', { contentBlockIndex: 2 }),
  event('messageStop', { stopReason: 'tool_use' }),
  event('metadata', { usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 }, metrics: { latencyMs: 1 } }),
];

// What the upstream answers next, and how large its writes are.
let reply = { bytes: Buffer.concat(TALK), size: 0 };
const seen = [];
const bedrock = createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', async () => {
    seen.push({ method: request.method, path: request.url, headers: request.headers, body: Buffer.concat(pieces) });
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ modelSummaries: [{ modelId: MODEL, outputModalities: ['TEXT'] }] }));
    }
    response.setHeader('content-type', 'application/vnd.amazon.eventstream');
    response.socket.setNoDelay(true);
    const step = reply.size || reply.bytes.length;
    for (let at = 0; at < reply.bytes.length; at += step) {
      response.write(reply.bytes.subarray(at, at + step));
      if (reply.size) await new Promise(setImmediate);
    }
    response.end();
  });
});

class Sha256 {
  constructor(secret) {
    this.hash = secret ? createHmac('sha256', Buffer.from(secret)) : createHash('sha256');
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

// The authorization header that the SDK's signer makes of the same request at the same second.
async function resigned(request, port) {
  const given = request.headers;
  const names = given.authorization.split('SignedHeaders=')[1].split(',')[0].split(';');
  const headers = Object.fromEntries(names.filter((name) => !name.startsWith('x-amz-')).map((name) => [name, given[name]]));
  const date = given['x-amz-date'].replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z');
  const signer = new SignatureV4({ service: 'bedrock', region: 'eu-west-1', sha256: Sha256, applyChecksum: false, uriEscapePath: true,
    credentials: { accessKeyId: ACCESS, secretAccessKey: SECRET, sessionToken: SESSION } });
  const url = new URL(`http://127.0.0.1:${port}${request.path}`);
  const signed = await signer.sign({ method: request.method, protocol: 'http:', hostname: '127.0.0.1', port, path: url.pathname,
    query: Object.fromEntries(url.searchParams), headers, body: request.body }, { signingDate: new Date(date) });
  return signed.headers.authorization;
}

const freePort = () => new Promise((resolve) => {
  const socket = createSocket();
  socket.listen(0, '127.0.0.1', () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  });
});

let port, ours;
async function ask(more = {}) {
  const answer = await fetch(`http://127.0.0.1:${ours}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: `aws/${MODEL}`, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'Héllo' }], ...more }) });
  let text = '', whole = true;
  try {
    for await (const piece of answer.body) text += Buffer.from(piece).toString('utf8');
  } catch {
    whole = false;
  }
  const datas = text.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
  return { status: answer.status, whole, text, done: datas.at(-1) === '[DONE]', chunks: datas.filter((d) => d !== '[DONE]').map((d) => JSON.parse(d)) };
}
const said = (answer, member) => answer.chunks.flatMap((c) => c.choices ?? []).map((c) => c.delta[member] ?? '').join('');

const tests = {
  async stream_of_the_sdks_encoder() {
    for (const size of [0, 1, 7, 64, 1000]) {
      reply = { bytes: Buffer.concat(TALK), size };
      const answer = await ask();
      assert.ok(answer.whole && answer.done, answer.text);
      assert.equal(said(answer, 'content'), 'Héllo 🎉');
      assert.equal(said(answer, 'reasoning_content'), 'hm');
      const calls = answer.chunks.flatMap((c) => c.choices).flatMap((c) => c.delta.tool_calls ?? []);
      assert.equal(calls.map((c) => c.function.arguments ?? '').join(''), '{"city":"Oslo"}');
      assert.equal(calls[0].function.name, 'get_weather');
      assert.deepEqual([answer.chunks.at(-1).usage.prompt_tokens, answer.chunks.at(-1).usage.completion_tokens], [3, 2]);
    }
  },

  async signature_of_the_sdks_signer() {
    const posts = seen.filter((r) => r.method === 'POST');
    assert.ok(posts.length > 0);
    for (const request of [posts.at(-1), ...seen.filter((r) => r.method === 'GET')]) {
      assert.equal(request.headers['x-amz-security-token'], SESSION);
      assert.equal(request.headers.authorization, await resigned(request, port));
    }
  },

  async exceptions_in_a_stream() {
    reply = { bytes: Buffer.concat([...TALK.slice(0, 5), exception('modelStreamErrorException', 'the wheels came off')]), size: 0 };
    const answer = await ask();
    assert.ok(answer.text.includes('the wheels came off'), answer.text);
    assert.ok(!answer.done && !answer.whole, answer.text);
    reply.bytes = Buffer.concat([...TALK.slice(0, 5), message({ ':message-type': string('error'), ':error-code': string('InternalError'), ':error-message': string('it broke down') }, {})]);
    const other = await ask();
    assert.ok(other.text.includes('it broke down') && !other.done && !other.whole, other.text);
  },

  async what_the_sdks_decoder_refuses_is_no_answer() {
    const good = TALK[4];
    for (const at of [0, 5, 9, 14, Math.floor(good.length / 2), good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at] ^= 1;
      assert.throws(() => codec.decode(bad), `byte ${at}`);
      reply = { bytes: Buffer.concat([...TALK.slice(0, 4), bad, ...TALK.slice(5)]), size: 0 };
      const answer = await ask();
      assert.ok(!answer.done, `byte ${at}: ${answer.text}`);
      assert.ok(answer.status !== 200 || !answer.whole, `byte ${at}: ${answer.text}`);
    }
  },
};

const folder = mkdtempSync(join(tmpdir(), 'llmrouter-aws-'));
await new Promise((resolve) => bedrock.listen(0, '127.0.0.1', resolve));
({ port } = bedrock.address());
ours = await freePort();
writeFileSync(join(folder, 'llmrouter.yaml'), JSON.stringify({
  server: { listen: `127.0.0.1:${ours}`, auth: 'none' }, storage: { keys: 'memory:', usage: 'memory:' }, routing: { attempts: 1 },
  providers: { aws: { type: 'bedrock', base_url: `http://127.0.0.1:${port}`, region: 'eu-west-1', api_key: `${ACCESS}:${SECRET}:${SESSION}` } },
}));
const server = spawn(process.env.SDK_BINARY, ['serve', '-c', join(folder, 'llmrouter.yaml')], { cwd: folder, stdio: 'ignore' });
const ended = new Promise((resolve) => server.on('exit', resolve));
let failed = 0;
try {
  for (let tries = 0; ; ++tries) {
    try {
      await fetch(`http://127.0.0.1:${ours}/health`);
      break;
    } catch (error) {
      if (tries === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const only = process.argv.slice(2);
  for (const [name, test] of Object.entries(tests)) {
    if (only.length && !only.includes(name)) continue;
    try {
      await test();
      console.log(`ok aws-node ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL aws-node ${name}: ${String(error.message).slice(0, 600).replaceAll('\n', ' ')}`);
    }
  }
} finally {
  server.kill('SIGTERM');
  const code = await ended;
  if (code !== 0) console.log(`FAIL aws-node server: exit ${code}`), (failed += 1);
  bedrock.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
