# The library's interface as debug information tells it. What is shipped has none, so the crate is compiled again for it.

ABIDW ?= abidw
interface := $(build)/abi/libsock.abi

.PHONY: abi abi-baseline
abi: $(build)/symbols
	cd $(source) && $(CARGO) rustc --target-dir $(build)/abi/cargo --lib --crate-type rlib $(CARGOFLAGS) \
	    -- -C debuginfo=2 -C codegen-units=1
	$(CC) -shared -nostdlib -o $(build)/abi/libsock.so $(addprefix -Wl$(comma)-u$(comma),$(shell cat $(build)/symbols)) \
	    $(build)/abi/cargo/debug/libsock.rlib -Wl,-soname,$(soname) -Wl,--version-script=$(source)/libsock.map
	$(ABIDW) --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names --type-id-style hash \
	    --out-file $(interface) $(build)/abi/libsock.so

# Only to be moved when the interface has grown, or on purpose: docs/ABI.md.
abi-baseline: abi
	cp $(interface) $(source)/abi/libsock.abi
