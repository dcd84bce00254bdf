// What examples-ffi/SCENARIO.md describes. usage: node scenario.mjs HOST PORT

import koffi from 'koffi';
import { Socket } from './sock.mjs';

const SIZE = 8 << 20;
const [AF_UNIX, SOCK_STREAM] = [1, 1];
const socketpair = koffi.load('libc.so.6').func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)');

function pair() {
  const fds = new Int32Array(2);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) !== 0) throw new Error('socketpair');
  return Array.from(fds, (fd) => new Socket(fd));
}

// The code of the error that a promise is rejected with, and its count.
async function failure(promise) {
  try {
    await promise;
    return {};
  } catch (error) {
    return error;
  }
}

// Whether a receive that gets nothing ends on time.
async function timesOut(connection, seconds) {
  connection.setTimeout(seconds);
  const start = process.hrtime.bigint();
  const { code } = await failure(connection.recv(1));
  const took = Number(process.hrtime.bigint() - start) / 1e9;
  return code === 'ETIMEDOUT' && took >= seconds && took < seconds + 1;
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
  const onTime = await timesOut(near, 0.25);
  await far.send(Buffer.from('x'));
  if (onTime && (await near.recv(1)).toString() === 'x') {
    console.log('timeout of 0.25 s: fired on time, and the socket is still good');
  }
  await Promise.all([near.close(), far.close()]);
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
  await near.close();
}

async function interrupted() {
  const [near, far] = pair();
  let handled = 0;
  process.on('SIGUSR2', () => handled++);
  const waiting = timesOut(near, 0.5).then((onTime) => onTime && handled === 1);
  setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 100);
  if (await waiting) console.log('signal during a timeout of 0.5 s: handled, and fired on time');
  await Promise.all([near.close(), far.close()]);
}

async function byName() {
  const listener = await Socket.listen('127.0.0.1', 0);
  const near = await Socket.dial('localhost', listener.port, 5);
  const far = await listener.accept();
  const received = Buffer.alloc(5);
  await Promise.all([near.sendAll(Buffer.from('hello')), far.recvAll(received)]);
  if (near.getTimeout() === 5 && received.toString() === 'hello') {
    console.log('by name: dialed, with a timeout of 5 s, and hello went through');
  }
  await Promise.all([listener.close(), near.close(), far.close()]);
}

async function lookups() {
  const host = await failure(Socket.dial('no such host', 7, 5));
  const service = await failure(Socket.dial('127.0.0.1', 'no-such-service', 5));
  const nul = await failure(Socket.dial('127.0.0.1\0.example', 7, 5));
  if (host.code === 'EAI_NONAME' && service.code === 'EAI_SERVICE' && nul instanceof TypeError) {
    const words = [host, service].map((error) => /: (.*),/.exec(error.message)[1]);
    console.log(`lookups that fail: ${words.join(', ')}`);
  }
}

await notReady();
await echo(process.argv[2], process.argv[3]);
await earlyClose();
await interrupted();
await byName();
await lookups();
