# The header. It is committed: only who changes the functions generates it, and needs cbindgen, which Cargo gets.
#
#   make header               include/sock.h, from the comments and signatures in src/api

HEADER := $(source)/include/sock.h

.PHONY: header
header:
	$(CARGO) run --quiet --manifest-path $(source)/include/generate/Cargo.toml --target-dir $(build)/header -- '$(HEADER)'
