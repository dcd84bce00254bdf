// What examples-ffi/SCENARIO.md describes. usage: node --expose-gc scenario.mjs HOST PORT

import { isDeepStrictEqual } from 'node:util';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import koffi from 'koffi';
import { Socket, within } from './sock.mjs';

const SIZE = 8 << 20;
const [AF_UNIX, SOCK_STREAM] = [1, 1];
const socketpair = koffi.load('libc.so.6').func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)');

function pair() {
  const fds = new Int32Array(2);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) !== 0) throw new Error('socketpair');
  return Array.from(fds, (fd) => new Socket(fd));
}

// What a promise is rejected with.
async function failure(promise) {
  try {
    await promise;
    return {};
  } catch (error) {
    return error;
  }
}

const now = () => Number(process.hrtime.bigint()) / 1e9;
const onTime = (start, seconds) => now() - start >= seconds && now() - start < seconds + 1;

// Whether a receive that gets nothing ends on time.
async function timesOut(connection, seconds) {
  connection.setTimeout(seconds);
  const start = now();
  const { code } = await failure(connection.recv(1));
  return code === 'ETIMEDOUT' && onTime(start, seconds);
}

function adler32(bytes) {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return (b * 65536 + a).toString(16).padStart(8, '0');
}

async function notReady() {
  const [near, far] = pair();
  near.setTimeout(0);
  if ((await failure(near.recv(1))).code === 'EAGAIN') console.log('non-blocking: not ready');
  const inTime = await timesOut(near, 0.25);
  await far.send('x');
  if (inTime && (await near.recv(1)).toString() === 'x') {
    console.log('timeout of 0.25 s: fired on time, and the socket is still good');
  }
}

async function echo(host, port) {
  const data = Uint8Array.from({ length: SIZE }, (_, i) => i % 251);
  const received = new Uint8Array(SIZE);
  const connection = await Socket.dial(host, port, 30);
  await Promise.all([connection.sendAll(data), connection.recvAll(received)]);
  await connection.close();
  if (Buffer.compare(data, received) === 0) {
    console.log(`echo: ${SIZE} bytes there and back, Adler-32 ${adler32(received)}`);
  }
}

async function earlyClose() {
  const [near, far] = pair();
  await far.sendAll(Buffer.alloc(1000));
  await far.close();
  const receiving = await failure(near.recvAll(Buffer.alloc(4096)));
  const sending = await failure(near.sendAll(Buffer.alloc(4096)));
  if (receiving.code === 'EPIPE' && sending.code === 'EPIPE') {
    const [received, sent] = [receiving.transferred, sending.transferred];
    console.log(`early close: ${received} of 4096 bytes received, then ${sent} of 4096 sent`);
  }
}

async function interrupted() {
  const [near, far] = pair();
  let handled = 0;
  process.once('SIGUSR2', () => handled++);
  setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 100);
  if ((await timesOut(near, 0.5)) && handled === 1) {
    console.log('signal during a timeout of 0.5 s: handled, and fired on time');
  }
  await far.close(); // It is not dropped before.
}

async function byName() {
  const listener = await Socket.listen('127.0.0.1', 0);
  const near = await Socket.dial('localhost', listener.localAddress.port, 5);
  const far = await listener.accept();
  await near.sendAll('hello');
  if (near.getTimeout() === 5 && (await far.recvAll(5)).toString() === 'hello') {
    console.log('by name: dialed, with a timeout of 5 s, and hello went through');
  }
}

async function lookups() {
  const host = await failure(Socket.dial('no such host', 7, 5));
  const service = await failure(Socket.dial('127.0.0.1', 'no-such-service', 5));
  if (host.code === 'ENOTFOUND' && service.code === 'EAI_SERVICE') {
    const words = [host, service].map((error) => /: (.*),/.exec(error.message)[1]);
    console.log(`lookups that fail: ${words.join(', ')}`);
  }
  const nul = await failure(Socket.dial('127.0.0.1\0.example', 7, 5));
  if (nul.code === 'ERR_INVALID_ARG_VALUE') console.log('a host with a NUL: refused');
}

async function sizes() {
  const [near] = pair();
  near.setTimeout(0.25);
  if ((await near.recv(0)).length === 0) console.log('receive of 0 bytes: nothing, at once');
  const refused = await Promise.all([-1, 2 ** 63].map((size) => failure(near.recv(size))));
  if (refused.every((error) => error instanceof RangeError)) console.log('sizes of -1 and 2^63: refused');
}

async function deadline() {
  const [near, far] = pair();
  const start = now();
  const { code } = await failure(
    within(0.3, async () => {
      for (let i = 0; i < 100; i++) {
        await far.send('x');
        await near.recv(1);
        await sleep(20);
      }
    }),
  );
  if (code === 'ETIMEDOUT' && onTime(start, 0.3)) {
    console.log('deadline of 0.3 s over many calls: on time, though the peer went on sending');
  }
}

async function cancelled() {
  const [near, far] = pair();
  await far.sendAll(Buffer.alloc(1000));
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  const { name, transferred } = await failure(near.recvAll(4096, { signal: controller.signal }));
  await far.send('x');
  if (name === 'AbortError' && (await near.recv(10)).toString() === 'x') {
    console.log(`cancelled: ${transferred} of 4096 bytes received, and the socket is still good`);
  }
}

async function lines() {
  const [near, far] = pair();
  await far.sendAll('first\nsec');
  const first = await near.recvLine();
  const start = now();
  const { code } = await failure(within(0.1, () => near.recvLine()));
  if (code !== 'ETIMEDOUT' || now() - start < 0.1) return;
  await far.sendAll('ond\nrest');
  const second = await near.recvLine();
  const rest = await near.recvAll(4);
  console.log(`lines: ${first.toString().trim()}, ${second.toString().trim()}; then ${rest}`);
}

async function addresses() {
  const listener = await Socket.listen('127.0.0.1', 0);
  const near = await Socket.dial('127.0.0.1', listener.localAddress.port, 5);
  const far = await listener.accept();
  const seen = [near.remoteAddress, near.localAddress, near.remoteAddress];
  if (isDeepStrictEqual(seen, [far.localAddress, far.remoteAddress, listener.localAddress])) {
    console.log(`addresses: ${near.remoteAddress.address}, and each end's is what the other sees`);
  }
}

async function datagrams() {
  const [server, client] = [await Socket.listen('127.0.0.1', '0/udp'), await Socket.listen('127.0.0.1', '0/udp')];
  await client.sendTo('question', server.localAddress);
  const question = await server.recvFrom(100);
  await server.sendTo('answer', question.address);
  const answer = await client.recvFrom(100);
  if (isDeepStrictEqual([question.address, answer.address], [client.localAddress, server.localAddress])) {
    console.log(`datagrams: ${question.data} and ${answer.data}, each with its sender's address`);
  }
}

async function unixSocket() {
  const directory = mkdtempSync(join(tmpdir(), 'libsock-'));
  const path = join(directory, 'socket');
  const listener = await Socket.listen(path);
  const near = await Socket.dial(path, null, 5);
  const far = await listener.accept();
  await near.sendAll('hello');
  if (near.remoteAddress === path && (await far.recvAll(5)).toString() === 'hello') {
    console.log('Unix socket: dialed by its path, and hello went through');
  }
  rmSync(directory, { recursive: true });
}

async function useAfterClose() {
  const [gone] = pair();
  await gone.close();
  const [near, far] = pair(); // One of these has its number now.
  const errors = [
    await failure(gone.sendAll('astray')),
    await failure(gone.recv(1)),
    await failure((async () => gone.setTimeout(0))()),
  ];
  await gone.close();
  await Promise.all([near.send('x'), far.send('y')]);
  const received = [await far.recv(10), await near.recv(10)];
  if (errors.every(({ code }) => code === 'ERR_SOCKET_CLOSED') && received.join() === 'x,y') {
    console.log('use after close: an error, and what has its number by then is left alone; closing twice: harmless');
  }
}

async function closeWhileWaiting() {
  const [near, far] = pair();
  near.setTimeout(10);
  setTimeout(() => near.close(), 100);
  if ((await failure(near.recv(1))).code === 'ERR_SOCKET_CLOSED') {
    console.log('close while a receive waits: an error at once, and not the end of the stream');
  }
  await far.close(); // It is not dropped before.
}

async function dropped() {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  pair();
  const before = descriptors();
  for (let i = 0; i < 500; i++) {
    pair();
    if (i % 50 === 0) {
      gc();
      await sleep(1);
    }
  }
  for (let again = 0; descriptors() >= before + 10 && again < 100; again++) {
    gc();
    await sleep(100);
  }
  if (descriptors() < before + 10) console.log('1000 sockets dropped: no descriptor is left');
}

await notReady();
await echo(process.argv[2], process.argv[3]);
await earlyClose();
await interrupted();
await byName();
await lookups();
await sizes();
await deadline();
await cancelled();
await lines();
await addresses();
await datagrams();
await unixSocket();
await useAfterClose();
await closeWhileWaiting();
await dropped();
