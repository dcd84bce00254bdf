# Campaigns: suites in their long form. `make test` runs the short form. A campaign without an end takes its
# seconds from LIBSOCK_LONG: `LIBSOCK_LONG=3600 make test-fuzz`.
#
#   make test-plain            every operation beside the kernel's plain blocking call
#   make test-faults           system calls tampered with
#   make test-fuzz             random sequences of calls against a model, and the boundary and pure parts fuzzed
#   make test-models           orders of atomics under loom, and of the system calls that make a mode
#   make test-memory           valgrind and sanitizers, small stacks, signal handlers, fork and exit
#   make test-dial             connecting by name, in a network of its own
#   make test-load             many descriptors and threads
#   make test-seccomp          the system calls that SECURITY.md lists, and kernels that refuse some
#   make test-architectures    other architectures, musl, and the oldest Rust
#   make test-kernels          other kernels, each in a virtual machine
#   make test-mutants          bugs planted, and caught

campaigns := plain faults fuzz models memory dial load seccomp architectures kernels mutants

.PHONY: $(addprefix test-,$(campaigns))
$(addprefix test-,$(campaigns)): test-%: all
	LIBSOCK_LONG=$${LIBSOCK_LONG:-1} LIBSOCK_BUILD=$(built) $(source)/tests/run $*

# sock_dial and Python's create_connection in the same network, into docs/dial.md.
.PHONY: dial-table
dial-table: all
	$(CC) -std=c11 $(CFLAGS) -I$(source)/include -I$(source)/tests/support -o $(build)/dial-driver \
	    $(source)/tests/dial/dial.c $(source)/tests/support/harness.c -L$(build) -lsock -Wl,-rpath,$(built)
	$(source)/tests/dial/lab.py $(source)/tests/dial/table.py $(build)/dial-driver $(source)/docs/dial.md
