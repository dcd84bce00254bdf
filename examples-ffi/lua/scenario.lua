-- What examples-ffi/SCENARIO.md describes. usage: luajit scenario.lua HOST PORT

local ffi = require("ffi")
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local sock = require("sock")

ffi.cdef [[
struct scenario_time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct scenario_time *time);
unsigned ualarm(unsigned microseconds, unsigned interval);
void (*signal(int signal, int (*handler)(int)))(int);
int abs(int);
int socketpair(int domain, int type, int protocol, int fds[2]);
]]

local AF_UNIX, SOCK_STREAM, SIGALRM = 1, jit.arch:find("^mips") and 2 or 1, 14

local function pair()
  local fds = ffi.new("int[2]")
  assert(ffi.C.socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
  return sock.new(fds[0]), sock.new(fds[1])
end

local clock = ffi.new("struct scenario_time")
local function now()
  ffi.C.clock_gettime(1, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) / 1e9
end

-- Whether a receive that gets nothing ends on time.
local function times_out(connection, seconds)
  connection:settimeout(seconds)
  local start = now()
  local _, err = connection:recv(1)
  local took = now() - start
  return err == "timeout" and took >= seconds and took < seconds + 1
end

local function adler32(data)
  local a, b = 1, 0
  for i = 1, #data do
    a = (a + data:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b * 65536 + a
end

local function not_ready()
  local near, far = pair()
  near:settimeout(0)
  local _, err = near:recv(1)
  print("non-blocking: " .. err)
  local on_time = times_out(near, 0.25)
  far:sendall("x")
  if on_time and near:recv(1) == "x" then
    print("timeout of 0.25 s: fired on time, and the socket is still good")
  end
end

-- One thread does both, in non-blocking mode: a part of each whenever there is one.
local function echo(host, port)
  local cycle = {}
  for byte = 0, 250 do cycle[#cycle + 1] = string.char(byte) end
  local size = 8 * 2 ^ 20
  local data = table.concat(cycle):rep(33421):sub(1, size)
  local connection = assert(sock.dial(host, port, 30))
  connection:settimeout(0)
  local sent, received, parts = 0, 0, {}
  while received < size do
    assert(connection:wait(sock.POLLIN + (sent < size and sock.POLLOUT or 0), 30))
    local count, err, partial = connection:sendall(data:sub(sent + 1, sent + 65536))
    assert(count or err == "not ready", err)
    sent = sent + (count or partial)
    local part
    part, err, partial = connection:recvall(math.min(65536, size - received))
    assert(part or err == "not ready", err)
    parts[#parts + 1] = part or partial
    received = received + #parts[#parts]
  end
  connection:close()
  if table.concat(parts) == data then
    print(("echo: %d bytes there and back, Adler-32 %08x"):format(received, adler32(data)))
  end
end

local function early_close()
  local near, far = pair()
  far:sendall(("\0"):rep(1000))
  far:close()
  local _, receiving, data = near:recvall(4096)
  local _, sending, sent = near:sendall(("\0"):rep(4096))
  if receiving == "closed" and sending == "closed" then
    print(("early close: %d of 4096 bytes received, then %d of 4096 sent"):format(#data, sent))
  end
end

-- Lua has no signal handlers: a C function without side effects is one here. That it ran shows in this: the alarm
-- is over, and the program is not.
local function interrupted()
  local near = pair()
  ffi.C.signal(SIGALRM, ffi.C.abs)
  ffi.C.ualarm(100000, 0)
  if times_out(near, 0.5) and ffi.C.ualarm(0, 0) == 0 then
    print("signal during a timeout of 0.5 s: handled, and fired on time")
  end
end

local function by_name()
  local listener = assert(sock.listen("127.0.0.1", 0))
  local near = assert(sock.dial("localhost", select(2, listener:localaddress()), 5))
  local far = assert(listener:accept())
  near:sendall("hello")
  if near:gettimeout() == 5 and far:recvall(5) == "hello" then
    print("by name: dialed, with a timeout of 5 s, and hello went through")
  end
end

local function lookups()
  local _, host, host_code = sock.dial("no such host", 7, 5)
  local _, service, service_code = sock.dial("127.0.0.1", "no-such-service", 5)
  local refused = not pcall(sock.dial, "127.0.0.1\0.example", 7, 5)
  if refused and host_code == sock.EAI_NONAME and service_code == sock.EAI_SERVICE then
    print("lookups that fail: " .. host .. ", " .. service)
  end
end

not_ready()
echo(arg[1], arg[2])
early_close()
interrupted()
by_name()
lookups()
