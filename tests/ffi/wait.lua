-- Waits for data that never come. usage: wait.lua BINDING-DIRECTORY SECONDS; 0 seconds are for ever

local ffi = require("ffi")
package.path = arg[1] .. "/?.lua;" .. package.path
local sock = require("sock")

ffi.cdef("int socketpair(int domain, int type, int protocol, int fds[2]);")
local fds = ffi.new("int[2]")
assert(ffi.C.socketpair(1, jit.arch:find("^mips") and 2 or 1, 0, fds) == 0)
local waiting = sock.new(fds[0])
local seconds = tonumber(arg[2])
waiting:settimeout(seconds > 0 and seconds or math.huge)
print("waiting")
io.stdout:flush()
print(waiting:recv(1))
