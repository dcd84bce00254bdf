# The header. It is committed, so it is generated only when the functions change. That needs cbindgen, which Cargo downloads.
#
#   make header               include/sock.h, from the comments and signatures in src/api

HEADER := $(source)/include/sock.h

.PHONY: header
header:
	$(CARGO) run --quiet --manifest-path $(source)/include/generate/Cargo.toml --target-dir $(build)/header -- '$(HEADER)'
