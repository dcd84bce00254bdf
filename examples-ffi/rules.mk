# The scenario in every language that this machine has; the others are skipped by name.
#
#   make test-ffi              every language that is found calls the library

.PHONY: test-ffi
test-ffi: all
	LIBSOCK_LONG=$${LIBSOCK_LONG:-1} LIBSOCK_BUILD=$(built) $(source)/tests/run ffi
