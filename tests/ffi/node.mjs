// What Node.js alone has the notion of. usage: node node.mjs BINDING-DIRECTORY HOW-OFTEN SECONDS [CHECK]; instant.c is preloaded

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const [, , DIRECTORY, often, soon, ONLY] = process.argv;
const [OFTEN, SOON, LATE] = [Number(often), Number(soon), 5]; // LATE: by which a busy machine may be late.
// koffi is found from there.
const PROJECT = mkdtempSync(join(process.env.LIBSOCK_BUILD, 'ffi-node', 'list-'));
process.on('exit', () => rmSync(PROJECT, { recursive: true, force: true }));
cpSync(DIRECTORY, PROJECT, { recursive: true });
const BINDING = pathToFileURL(join(PROJECT, 'sock.mjs')).href;
const koffi = createRequire(BINDING)('koffi');
const { Socket, within } = await import(BINDING);

const instant = koffi.load(process.env.LD_PRELOAD.split(' ')[0]);
const before = instant.func('void instant_before(int n)');
const after = instant.func('int instant_after(int microseconds)');
const moment = instant.func('double instant_moment()');
const libc = koffi.load('libc.so.6');
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void *addr, uint32_t size)');
const listen = libc.func('int listen(int fd, int backlog)');
const setsockopt = libc.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t size)');
const dup = libc.func('int dup(int fd)');
const [AF_UNIX, AF_INET, SOCK_STREAM, SOCK_DGRAM, SOL_SOCKET, SO_LINGER, IP_RECVERR, MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT] =
  [1, 2, 1, 2, 1, 13, 11, 0x2, 0x20, 0x40];

const alive = []; // The pairs of a check: a peer that is dropped is the end of a stream.

function pair(kind = SOCK_STREAM) {
  const fds = new Int32Array(2);
  assert.equal(socketpair(AF_UNIX, kind, 0, fds), 0);
  const ends = Array.from(fds, (fd) => new Socket(fd));
  alive.push(...ends);
  return ends;
}

const now = () => Number(process.hrtime.bigint()) / 1e9;
const descriptors = () => readdirSync('/proc/self/fd').length;
const resident = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096;
const random = (below) => Math.floor(Math.random() * below);

async function rejects(promise, code) {
  let result;
  try {
    result = await promise;
  } catch (error) {
    assert.equal(error.code, code, inspect(error));
    return error;
  }
  throw new Error(`${inspect(result)}, not ${code}`);
}

function throws(call, code) {
  return rejects((async () => call())(), code);
}

function took(start, seconds) {
  const elapsed = now() - start;
  assert(elapsed >= seconds && elapsed < seconds + LATE, `${seconds} s took ${elapsed} s`);
}

// A program, its exit code and what it printed.
function program(source) {
  const imports = `import { Socket } from ${JSON.stringify(BINDING)};`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', imports + source],
    { stdio: ['ignore', 'pipe', 'inherit'], timeout: ONLY ? 10_000 : 100_000, killSignal: 'SIGKILL' });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  return new Promise((resolve) => { child.on('close', (code, signal) => resolve([code ?? signal, output])); });
}

const CHECKS = {
  // Every signal ends its wait, the one that comes in the instant before a system call too.
  async ctrlC() {
    const [near, far] = pair();
    near.setTimeout(20);
    let [controller, slowest] = [null, 0];
    const abort = () => controller.abort();
    process.on('SIGINT', abort);
    for (let i = 0; i < OFTEN; i++) {
      controller = new AbortController();
      if (i % 2) after(random(2000));
      else before(1 + (i / 2) % 2); // The attempt, and the wait.
      await rejects(near.recv(1, { signal: controller.signal }), 'ABORT_ERR');
      slowest = Math.max(slowest, now() - moment());
    }
    process.off('SIGINT', abort);
    await far.send('x');
    assert.equal(String(await near.recv(1)), 'x');
    assert(slowest < SOON + LATE, `only after ${slowest} s`);
    return `${OFTEN} of ${OFTEN}, the slowest after ${(slowest * 1e3).toFixed(1)} ms`;
  },

  async timeouts() {
    const [near] = pair();
    let latest = 0;
    for (let i = 0; i < 50; i++) {
      const seconds = 0.001 + random(9_000_000) / 1e9;
      near.setTimeout(seconds);
      assert(near.getTimeout() >= seconds && near.getTimeout() < seconds + 2e-9);
      const start = now();
      await rejects(near.recv(1), 'ETIMEDOUT');
      took(start, seconds);
      latest = Math.max(latest, now() - start - seconds);
    }
    return `never early, ${(latest * 1e3).toFixed(1)} ms late at most`;
  },

  async closeDuringRead() {
    const [near, far] = pair();
    await far.send('begin');
    setTimeout(() => near.close(), 50);
    const error = await rejects(near.recvAll(10), 'ERR_SOCKET_CLOSED');
    assert.equal(String(error.data), 'begin');
    assert.equal(error.transferred, 5);
    const [one] = pair();
    const line = one.recvLine();
    const queued = one.recv(1);
    const sending = one.sendAll(Buffer.alloc(8 << 20));
    setTimeout(() => one.close(), 50);
    for (const promise of [rejects(line, 'ERR_SOCKET_CLOSED'), rejects(queued, 'ERR_SOCKET_CLOSED')]) await promise;
    assert((await rejects(sending, 'ERR_SOCKET_CLOSED')).transferred > 0);
    const listener = await Socket.listen('127.0.0.1', 0);
    setTimeout(() => listener.close(), 50);
    await rejects(listener.accept(), 'ERR_SOCKET_CLOSED');
  },

  async useAfterClose() {
    const [near] = pair();
    await Promise.all([near.close(), near.close()]);
    await near.close();
    await near[Symbol.asyncDispose]();
    assert.equal(near.fd, -1);
    assert.equal(near.closed, true);
    assert.equal(inspect(near), 'Socket { fd: -1 }');
    for (const call of [() => near.recv(1), () => near.recv(0), () => near.recvInto(Buffer.alloc(1)), () => near.recvAll(1),
      () => near.recvFrom(1), () => near.recvLine(), () => near.send('x'), () => near.sendAll('x'), () => near.sendAll(''),
      () => near.sendTo('x', '@nobody'), () => near.accept(), () => near.setTimeout(0), () => near.getTimeout(),
      () => near.shutdown(), () => near.localAddress]) await throws(call, 'ERR_SOCKET_CLOSED');
    assert.throws(() => { near.fd = 0; }, TypeError);
  },

  // Of receives that wait there may be as many as there are sockets, and nothing else waits for them.
  async many() {
    const [idle, ours] = [Array.from({ length: 400 }, () => pair()), pair()];
    const waiting = idle.map(([near]) => near.recv(1));
    const start = now();
    await sleep(20);
    ours[0].setTimeout(0);
    await rejects(ours[0].recv(1), 'EAGAIN');
    await rejects(idle[0][0].recv(1, { flags: MSG_DONTWAIT }), 'EAGAIN');
    await readFile('/proc/self/statm');
    (await Socket.listen('127.0.0.1', 0)).close();
    assert(now() - start < SOON + LATE, `${now() - start} s`);
    for (const [, far] of idle) await far.send('x');
    for (const promise of waiting) assert.equal(String(await promise), 'x');
    const listener = await Socket.listen('127.0.0.1', 0);
    const dials = Array.from({ length: 300 }, () => Socket.dial('127.0.0.1', listener.localAddress.port, 60));
    for (const dial of dials) {
      (await dial).close();
      (await listener.accept()).close();
    }
    for (const one of idle.flat()) one.close();
  },

  // What is called first has its bytes first, and writes do not mix.
  async order() {
    const [near, far] = pair();
    const receives = [near.recvAll(3), near.recvLine(), near.recvAll(2)];
    await far.sendAll('abcline\nyz');
    assert.deepEqual((await Promise.all(receives)).map(String), ['abc', 'line\n', 'yz']);
    const size = 3 << 20;
    const sends = [1, 2, 3, 4].map((byte) => far.sendAll(Buffer.alloc(size, byte)));
    for (const byte of [1, 2, 3, 4]) {
      assert((await near.recvAll(size)).equals(Buffer.alloc(size, byte)), 'the bytes of two are mixed');
    }
    await Promise.all(sends);
    near.setTimeout(0.1);
    const start = now();
    await Promise.all([rejects(near.recv(1), 'ETIMEDOUT'), rejects(near.recv(1), 'ETIMEDOUT')]);
    took(start, 0.1);
  },

  // An abort loses nothing, at whatever moment.
  async aborts() {
    const [near, far] = pair();
    await rejects(near.recv(1, { signal: AbortSignal.abort() }), 'ABORT_ERR');
    for (let i = 0; i < OFTEN; i++) {
      const sent = String(i).padStart(4, '0');
      const controller = new AbortController();
      setTimeout(() => controller.abort(), Math.random() * 2);
      setTimeout(() => far.sendAll(sent), Math.random() * 2);
      let got;
      try {
        got = await near.recvAll(4, { signal: controller.signal });
      } catch (error) {
        assert.equal(error.code, 'ABORT_ERR');
        got = Buffer.concat([error.data, await near.recvAll(4 - error.transferred)]);
      }
      assert.equal(String(got), sent);
    }
    const queued = [near.recv(1), near.recv(1, { signal: AbortSignal.timeout(20) })];
    await rejects(queued[1], 'ABORT_ERR');
    await far.send('x');
    assert.equal(String(await queued[0]), 'x');
    const error = await rejects(near.recv(1, { signal: AbortSignal.timeout(20) }), 'ABORT_ERR');
    assert.equal(error.name, 'AbortError');
    assert.equal(error.cause.name, 'TimeoutError');
  },

  async limits() {
    const [near, far] = pair();
    const start = now();
    await within(0.2, async () => {
      await far.send('1');
      assert.equal(String(await near.recv(1)), '1');
      await within(10, () => rejects(near.recv(1), 'ETIMEDOUT'));
      took(start, 0.2);
      await rejects(far.sendAll('too late'), 'ETIMEDOUT');
    });
    await far.send('2');
    assert.equal(String(await near.recv(1)), '2');
    near.setTimeout(0.05);
    await within(10, () => rejects(near.recv(1), 'ETIMEDOUT'));
    near.setTimeout(Infinity);
    await within(Infinity, () => rejects(near.recv(1), 'ABORT_ERR'), { signal: AbortSignal.timeout(20) });
    await throws(() => within(NaN, () => 0), 'ERR_OUT_OF_RANGE');
    await throws(() => within(1, () => 0, { signal: 1 }), 'ERR_INVALID_ARG_TYPE');
  },

  // A peer that sends, or takes, without end holds neither the deadline nor the event loop.
  async flood() {
    const [near, far] = pair();
    const [buffer, controller] = [Buffer.alloc(64 << 20), new AbortController()];
    const sending = (async () => { for (;;) await far.sendAll(buffer, { signal: controller.signal }); })();
    const receives = async (options) => { for (;;) await near.recvAll(buffer, options); };
    const start = now();
    await within(0.2, () => rejects(receives(), 'ETIMEDOUT'));
    took(start, 0.2);
    setTimeout(() => controller.abort(), 50); // It has its turn.
    await Promise.all([rejects(receives({ signal: controller.signal }), 'ABORT_ERR'), rejects(sending, 'ABORT_ERR')]);
  },

  async badArguments() {
    const [near, far] = pair();
    near.setTimeout(5);
    for (const bad of [-1, NaN, 1e300]) await throws(() => near.setTimeout(bad), 'ERR_OUT_OF_RANGE');
    for (const bad of ['1', null, undefined, 1n]) await throws(() => near.setTimeout(bad), 'ERR_INVALID_ARG_TYPE');
    for (const call of ['recv', 'recvAll', 'recvFrom']) {
      for (const bad of [-1, 2 ** 63, 2 ** 53, 1.5, NaN, Infinity]) await rejects(near[call](bad), 'ERR_OUT_OF_RANGE');
      for (const bad of ['1', null, undefined, {}, 1n]) await rejects(near[call](bad), 'ERR_INVALID_ARG_TYPE');
    }
    for (const bad of [undefined, null, 7, [1], {}]) {
      for (const call of ['send', 'sendAll', 'recvInto']) await rejects(near[call](bad), 'ERR_INVALID_ARG_TYPE');
    }
    await rejects(near.recvInto('text'), 'ERR_INVALID_ARG_TYPE');
    for (const bad of [2 ** 31, 2 ** 32, 0.5]) await rejects(near.recv(1, { flags: bad }), 'ERR_OUT_OF_RANGE');
    await rejects(near.recv(1, { signal: {} }), 'ERR_INVALID_ARG_TYPE');
    await rejects(near.recvLine({ delimiter: '' }), 'ERR_INVALID_ARG_VALUE');
    await rejects(near.recvLine({ limit: -1 }), 'ERR_OUT_OF_RANGE');
    await throws(() => near.shutdown('toString'), 'ERR_INVALID_ARG_VALUE');
    await rejects(Socket.listen('127.0.0.1', 0, 2 ** 32), 'ERR_OUT_OF_RANGE');
    for (const bad of [-1, 2 ** 32 + far.fd, 0.5]) await throws(() => new Socket(bad), 'ERR_OUT_OF_RANGE');
    await throws(() => new Socket('0'), 'ERR_INVALID_ARG_TYPE');
    await throws(() => new Socket(libc.func('int open(const char *path, int flags)')('/dev/null', 0)), 'ENOTSOCK');
    const start = now();
    for (const nothing of [await near.recv(0), await near.recvAll(0)]) assert.equal(nothing.length, 0);
    assert.equal(await near.recvInto(new Uint8Array()), 0);
    assert(now() - start < LATE, 'it waited');
    await far.send('x'); // Nothing was lost.
    assert.equal((await near.recv(2 ** 31 + 1)).length, 1);
  },

  async names() {
    for (const host of ['no such host', 'a..b']) {
      const error = await rejects(Socket.dial(host, 7, 5), 'ENOTFOUND');
      assert.equal(error.hostname, host);
    }
    await rejects(Socket.dial('127.0.0.1', 'no-such-service', 5), 'EAI_SERVICE');
    for (const host of ['127.0.0.1\0.example', '/tmp/\0', '@\0', '１２７.０.０.１\0']) {
      await rejects(Socket.dial(host, 7, 5), 'ERR_INVALID_ARG_VALUE');
      await rejects(Socket.listen(host, 7), 'ERR_INVALID_ARG_VALUE');
    }
    await rejects(Socket.dial('127.0.0.1', '7\0', 5), 'ERR_INVALID_ARG_VALUE');
    for (const bad of [127, undefined, null, Buffer.from('localhost')]) {
      await rejects(Socket.dial(bad, 7), 'ERR_INVALID_ARG_TYPE');
    }
    await rejects(Socket.dial('127.0.0.1', 7.5), 'ERR_INVALID_ARG_TYPE');
    await rejects(Socket.dial('127.0.0.1', 7, -1), 'ERR_OUT_OF_RANGE');
    const listener = await Socket.listen('ｌｏｃａｌｈｏｓｔ', 0);
    const { port } = listener.localAddress;
    for (const host of ['localhost', 'ｌｏｃａｌｈｏｓｔ']) (await Socket.dial(host, port, 5)).close();
    await rejects(Socket.listen('127.0.0.1', port), 'EADDRINUSE');
    await rejects(Socket.dial('127.0.0.1', (await freed()).port, 5), 'ECONNREFUSED');
  },

  async buffers() {
    const [near, far] = pair();
    const shared = new Uint8Array(new SharedArrayBuffer(6)).fill(0x73);
    const data = ['text é', Buffer.from('..sliced..').subarray(2, 8), new Float64Array([1.5]), new DataView(new ArrayBuffer(9), 2, 5),
      new ArrayBuffer(3), shared, shared.buffer];
    for (const one of data) {
      const bytes = typeof one === 'string' ? Buffer.from(one) : Buffer.from(one.buffer ?? one, one.byteOffset, one.byteLength);
      await near.sendAll(one);
      assert((await far.recvAll(bytes.length)).equals(bytes), inspect(one));
    }
    const whole = Buffer.alloc(10, '.');
    await near.sendAll('sliced');
    assert.equal(await far.recvAll(whole.subarray(2, 8)), 6);
    assert.equal(String(whole), '..sliced..');
    const numbers = new Int32Array(2);
    await near.sendAll(Int32Array.of(7, 8));
    await far.recvAll(numbers);
    assert.deepEqual([...numbers], [7, 8]);
    const gone = new Uint8Array(8);
    structuredClone(gone, { transfer: [gone.buffer] });
    await assert.rejects(near.send(gone), TypeError);
    await assert.rejects(near.recvInto(gone), TypeError);
    // Meanwhile.
    const detached = new Uint8Array(8);
    await near.send('1234');
    const waiting = far.recvAll(detached);
    await sleep(20);
    structuredClone(detached, { transfer: [detached.buffer] });
    await near.send('5678');
    assert.equal((await rejects(waiting, 'ERR_INVALID_STATE')).transferred, 4);
    assert.equal(String(await far.recv(10)), '5678');
    const resized = new ArrayBuffer(8, { maxByteLength: 8 });
    if (resized.resize) {
      const receiving = far.recvInto(resized);
      await sleep(20);
      resized.resize(0);
      await near.send('x');
      await rejects(receiving, 'ERR_INVALID_STATE');
      assert.equal(String(await far.recv(10)), 'x');
    }
    const [one, other] = pair(SOCK_DGRAM);
    await one.send(Buffer.alloc(1000));
    assert.equal((await other.recv(8, { flags: MSG_TRUNC })).length, 8);
    const listener = await Socket.listen('127.0.0.1', 0);
    const discarding = await Socket.dial('127.0.0.1', listener.localAddress.port, 5);
    await (await listener.accept()).sendAll('x'.repeat(1000));
    await sleep(20);
    const discarded = await discarding.recv(1000, { flags: MSG_TRUNC });
    assert(discarded.equals(Buffer.alloc(discarded.length)), 'it is memory of somebody else');
  },

  async lines() {
    const [near, far] = pair();
    const long = `${'x'.repeat(10_000)}\n`;
    await far.sendAll('one\ntwo\nthr');
    assert.equal(String(await near.recvLine()), 'one\n');
    assert.equal(String(await near.recvLine()), 'two\n');
    near.setTimeout(0.02);
    await rejects(near.recvLine(), 'ETIMEDOUT');
    near.setTimeout(0);
    await rejects(near.recvLine(), 'EAGAIN');
    near.setTimeout(Infinity);
    await far.sendAll(`ee\n${long}a head\r\n\r\na bodyone\ntwo\ncut`);
    await far.close();
    assert.equal(String(await near.recvLine()), 'three\n');
    await rejects(near.recvLine({ limit: 100 }), 'EMSGSIZE');
    assert.equal(String(await near.recvLine()), long);
    assert.equal(String(await near.recvLine({ delimiter: '\r\n\r\n' })), 'a head\r\n\r\n');
    for (const flags of [MSG_PEEK, 0]) assert.equal(String(await near.recv(2, { flags })), 'a ');
    assert.equal(String(await near.recvAll(4)), 'body');
    const lines = [];
    await rejects((async () => { for await (const line of near.lines()) lines.push(String(line)); })(), 'EPIPE');
    assert.deepEqual(lines, ['one\n', 'two\n']);
    assert.equal(String(await near.recv(10)), 'cut');
    assert.equal(await near.recvLine(), null);
  },

  async datagrams() {
    const server = await Socket.listen('127.0.0.1', '0/udp');
    const client = await Socket.dial('localhost', `${server.localAddress.port}/udp`, 5);
    await client.send('question');
    const { data, address } = await server.recvFrom(100);
    assert.equal(String(data), 'question');
    assert.deepEqual(address, client.localAddress);
    assert.equal(address.family, 'IPv4');
    await server.sendTo('answer', address);
    assert.equal(String(await client.recv(100)), 'answer');
    await client.send('');
    assert.equal((await server.recvFrom(100)).data.length, 0);
    for (const bad of [{ address: 'localhost', port: 7 }, { address: '127.0.0.1', port: 70_000 }]) {
      await rejects(server.sendTo('x', bad), 'ERR_INVALID_ARG_VALUE');
    }
    for (const bad of [null, {}, 7]) await rejects(server.sendTo('x', bad), 'ERR_INVALID_ARG_TYPE');
    await rejects((async () => server.remoteAddress)(), 'ENOTCONN');
  },

  async unix() {
    for (const name of [join(PROJECT, 'socket'), `@libsock-${process.pid}`]) {
      const listener = await Socket.listen(name);
      const near = await Socket.dial(name, null, 5);
      const far = await listener.accept();
      assert.deepEqual([near.remoteAddress, listener.localAddress, near.localAddress], [name, name, '']);
      await near.sendAll('hello');
      assert.equal(String(await far.recvAll(5)), 'hello');
    }
    await rejects(Socket.dial(join(PROJECT, 'nobody'), null, 5), 'ENOENT');
  },

  // A dial that is aborted, or has no more time, leaves nothing behind.
  async dialAborted() {
    const fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(fd, Buffer.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, ...new Uint8Array(8)]), 16);
    listen(fd, 0);
    const full = new Socket(fd);
    const { port } = full.localAddress;
    const ahead = await Socket.dial('127.0.0.1', port, 5); // Now it answers nobody.
    const open = descriptors();
    for (let i = 0; i < 5; i++) {
      const signal = AbortSignal.timeout(i * 10);
      const dials = Array.from({ length: 4 }, () => rejects(Socket.dial('127.0.0.1', port, 30, { signal }), 'ABORT_ERR'));
      await Promise.all(dials);
    }
    const start = now();
    await rejects(Socket.dial('127.0.0.1', port, 0.1), 'ETIMEDOUT');
    took(start, 0.1);
    await within(0.05, () => rejects(Socket.dial('127.0.0.1', port), 'ETIMEDOUT'));
    await rejects(Socket.dial('127.0.0.1', port, 0), 'EAGAIN');
    assert.equal(descriptors(), open);
    await ahead.close();
  },

  async dropped() {
    const listener = await Socket.listen('127.0.0.1', 0);
    const { port } = listener.localAddress;
    let [open, memory] = [0, 0];
    for (let i = 0; i < OFTEN * 10; i++) {
      if (i === OFTEN) {
        gc();
        await sleep(50);
        [open, memory] = [descriptors(), resident()];
      }
      const near = await Socket.dial('127.0.0.1', port, 5);
      setsockopt(near.fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0), 8);
      await listener.accept();
      if (i % 100 === 0) {
        gc();
        await setImmediate();
      }
    }
    for (let i = 0; i < 50 && descriptors() > open; i++) {
      gc();
      await sleep(100);
    }
    assert(descriptors() <= open, `${descriptors()} descriptors, not ${open}`);
    const grown = resident() - memory;
    assert(grown < 64 << 20, `${grown} bytes more`);
    return `${OFTEN * 20} sockets, ${(grown / 2 ** 20).toFixed(1)} MiB more`;
  },

  async loadedTwice() {
    const again = await import(`${BINDING}?again`);
    const [near, far] = pair();
    const other = new again.Socket(dup(near.fd));
    const waiting = other.recv(1);
    await sleep(10);
    await far.send('x');
    assert.equal(String(await waiting), 'x');
  },

  // An entry in the error queue makes nothing spin.
  async errorQueue() {
    const { port } = await freed('0/udp');
    const waiting = await Socket.dial('127.0.0.1', `${port}/udp`, 5);
    setsockopt(waiting.fd, 0, IP_RECVERR, Int32Array.of(1), 4);
    await waiting.send('x');
    await rejects(waiting.recv(1), 'ECONNREFUSED');
    waiting.setTimeout(1);
    const [used, start] = [process.cpuUsage(), now()];
    await rejects(waiting.recv(1), 'ETIMEDOUT');
    took(start, 1);
    const { user, system } = process.cpuUsage(used);
    assert(user + system < 120_000, `${user + system} us of processor time in a wait of 1 s`);
    return `${Math.round((user + system) / 1000)} ms of processor time in 1 s`;
  },

  // Ends of which poll(2) does not tell.
  async shutDown() {
    const waiting = await Socket.dial('127.0.0.1', '9/udp', 5);
    setTimeout(() => waiting.shutdown('read'), 50);
    for (let i = 0; i < 2; i++) assert.equal((await waiting.recv(1)).length, 0);
    const listener = await Socket.listen(`@libsock-shut-${process.pid}`);
    listener.setTimeout(5);
    setTimeout(() => listener.shutdown('read'), 50);
    await rejects(listener.accept(), 'EINVAL');
    for (const [which, how] of [[0, 'write'], [1, 'read']]) {
      const ends = pair();
      ends[0].setTimeout(10);
      setTimeout(() => ends[which].shutdown(how), 50);
      const start = now();
      assert((await rejects(ends[0].sendAll(Buffer.alloc(8 << 20)), 'EPIPE')).transferred > 0);
      assert(now() - start < 5, `only after ${now() - start} s`);
    }
  },

  // A connection that another one takes makes an accept neither longer nor shorter.
  async acceptTaken() {
    for (let i = 0; i < 5; i++) {
      const listener = await Socket.listen('127.0.0.1', 0);
      const other = new Socket(dup(listener.fd));
      listener.setTimeout(0.2);
      const start = now();
      const accepts = [listener.accept(), other.accept()];
      setTimeout(() => Socket.dial('127.0.0.1', listener.localAddress.port, 5), 100);
      const outcomes = await Promise.allSettled(accepts);
      const without = outcomes.filter(({ status }) => status === 'rejected');
      assert(without.length > 0);
      for (const { reason } of without) assert.equal(reason.code, 'ETIMEDOUT');
      took(start, 0.2);
    }
  },

  async bothDirections() {
    const [near, far] = pair();
    const data = Buffer.alloc(4 << 20, 'some data');
    const all = await Promise.all([near.recvAll(data.length), far.recvAll(data.length), near.sendAll(data), far.sendAll(data)]);
    assert(all[0].equals(data) && all[1].equals(data));
  },

  // A program ends by process.exit, by an error, and by itself once nothing waits any more.
  async exits() {
    const waits = `const l = await Socket.listen('127.0.0.1', 0); const wait = l.accept();
      setTimeout(async () => { END }, 50); await wait.catch((error) => console.log(error.code));`;
    const ends = { 'process.exit(3)': [3, ''], 'throw 1': [1, ''], 'l.close()': [0, 'ERR_SOCKET_CLOSED\n'] };
    await Promise.all(Object.entries(ends).map(async ([end, expected]) => {
      const silent = end === 'throw 1' ? "process.on('uncaughtException', () => process.exit(1));" : '';
      const found = await program(silent + waits.replace('END', end));
      assert.deepEqual(found, expected, `${end}: ${found}`);
    }));
    const worker = new Worker(`import(${JSON.stringify(BINDING)}).then(async ({ Socket }) => {
      const listener = await Socket.listen('127.0.0.1', 0);
      setTimeout(() => require('node:worker_threads').parentPort.postMessage('it waits'), 20);
      await listener.accept();
    })`, { eval: true });
    await new Promise((resolve) => { worker.once('message', resolve); });
    const start = now();
    await worker.terminate();
    assert(now() - start < 10, `a worker ended only after ${now() - start} s`);
  },
};

// An address that nobody has any more.
async function freed(service = 0) {
  const one = await Socket.listen('127.0.0.1', service);
  const address = one.localAddress;
  await one.close();
  return address;
}

for (const [name, check] of Object.entries(CHECKS)) {
  if (ONLY && name !== ONLY) continue;
  // A wait that nothing ends fails the check.
  const limit = new AbortController();
  const late = sleep(ONLY ? 15_000 : 120_000, null, { signal: limit.signal }).then(() => { throw new Error('it waits on'); });
  try {
    const found = await Promise.race([check(), late]);
    console.log(found ? `ok ${name}: ${found}` : `ok ${name}`);
  } catch (error) {
    const at = /node\.mjs:(\d+)/.exec(error.stack)?.[1];
    console.log(`not ok ${name}: ${String(error.message).split('\n')[0]} (${error.code ?? error.name}) in line ${at}`);
  } finally {
    limit.abort();
    alive.length = 0;
    late.catch(() => {});
  }
}
process.exit();
