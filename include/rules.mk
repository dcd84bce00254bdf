# include/sock.h, from the comments and signatures in src/api. It is committed: only who changes them needs cbindgen.

HEADER ?= $(source)/include/sock.h

.PHONY: header
header:
	$(CARGO) run --quiet --manifest-path $(source)/include/generate/Cargo.toml --target-dir $(build)/header -- $(HEADER)
