# The library's interface, from debug information. The shipped library has none, so the crate is compiled again with it.
#
#   make abi                  the interface as it is now, into build/abi
#   make abi-baseline         the interface with which later ones are compared: abi/libsock.abi

ABIDW ?= abidw
interface := $(build)/abi/libsock.abi

.PHONY: abi abi-baseline
abi: $(interface)

$(build)/abi/libsock.rlib: FORCE
	mkdir -p $(@D)
	$(call cargo_rustc,abi/cargo,--crate-type rlib $(CARGOFLAGS) -- -C debuginfo=2 -C codegen-units=1)

$(interface): $(build)/abi/libsock.rlib $(build)/symbols $(build)/libsock.map
	$(CC) -shared -nostdlib -o $(build)/abi/libsock.so $(addprefix -Wl$(comma)-u$(comma),$(shell cat $(build)/symbols)) \
	    $< -Wl,-soname,$(soname) -Wl,--version-script=$(build)/libsock.map
	$(ABIDW) --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names --type-id-style hash \
	    --out-file $@ $(build)/abi/libsock.so

# Only for an interface that has grown, or that changes on purpose: docs/ABI.md.
abi-baseline: abi
	cp $(interface) $(source)/abi/libsock.abi
