.PHONY: test-ffi

# The scenario in every language that is found; the others are named.
test-ffi: all
	LIBSOCK_BUILD=$(build) $(source)/tests/run ffi
