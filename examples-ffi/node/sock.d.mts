/** What the bytes of a call are in. */
export type Bytes = ArrayBufferView | ArrayBufferLike;

/** As in node:net, or the path of a Unix socket. */
export type Address = { address: string; family: 'IPv4' | 'IPv6'; port: number } | string;

export interface Signal {
  signal?: AbortSignal;
}

/** `flags` are `MSG_` flags of send(2) and recv(2). */
export interface Options extends Signal {
  flags?: number;
}

export interface LineOptions extends Signal {
  delimiter?: string | Bytes;
  limit?: number;
}

/** What a promise is rejected with. */
export interface SockError extends Error {
  code: string;
  errno?: number;
  syscall?: string;
  /** How many bytes a whole transfer moved all the same. */
  transferred?: number;
  /** What recvAll of a size received all the same. */
  data?: Buffer;
}

/** All that is called in the body ends within so many seconds altogether, or when the signal is aborted. */
export function within<T>(seconds: number, body: () => T, options?: Signal): T;

/** A socket in one of the modes. Seconds: 0 is non-blocking mode, Infinity blocking mode. */
export class Socket implements AsyncDisposable {
  constructor(fd: number);
  static dial(host: string, service?: string | number | null, seconds?: number, options?: Signal): Promise<Socket>;
  static listen(host: string | null, service?: string | number | null, backlog?: number): Promise<Socket>;
  /** -1 once it is closed. */
  get fd(): number;
  get closed(): boolean;
  get localAddress(): Address | null;
  get remoteAddress(): Address | null;
  setTimeout(seconds: number): void;
  getTimeout(): number;
  shutdown(how?: 'read' | 'write' | 'both'): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  send(data: string | Bytes, options?: Options): Promise<number>;
  sendTo(data: string | Bytes, address: string | { address: string; port: number }, options?: Options): Promise<number>;
  sendAll(data: string | Bytes, options?: Options): Promise<void>;
  recv(size: number, options?: Options): Promise<Buffer>;
  recvInto(buffer: Bytes, options?: Options): Promise<number>;
  recvFrom(size: number, options?: Options): Promise<{ data: Buffer; address: Address | null }>;
  recvAll(size: number, options?: Options): Promise<Buffer>;
  recvAll(buffer: Bytes, options?: Options): Promise<number>;
  recvLine(options?: LineOptions): Promise<Buffer | null>;
  lines(options?: LineOptions): AsyncGenerator<Buffer, void, void>;
  accept(options?: Signal): Promise<Socket>;
}
