# libsock: needs Rust, a C compiler and make.
#
#   make            the shared and the static library, and the C examples
#   make demo       the three modes, on real sockets
#   make test       everything; ends in a countable summary
#   make install    DESTDIR= PREFIX= LIBDIR= INCLUDEDIR= MANDIR= (packaging/rules.mk has more)

CC ?= cc
AR ?= ar
OBJCOPY ?= objcopy
CARGO ?= cargo
CARGOFLAGS ?=
CFLAGS ?= -O2
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
INSTALL ?= install

source := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
build := $(abspath $(or $(BUILD),build))
version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(source)/Cargo.toml)
soname := libsock.so.$(firstword $(subst ., ,$(version)))
shared := $(build)/libsock.so.$(version)
static := $(build)/libsock.a
rust := $(build)/cargo/$(addsuffix /,$(CARGO_BUILD_TARGET))release/libsock.a
examples := $(patsubst $(source)/examples-c/%.c,$(build)/examples-c/%,$(wildcard $(source)/examples-c/*.c))

.DELETE_ON_ERROR:
.PHONY: all lib examples demo test clean

all: lib examples

lib: $(shared) $(static) $(build)/libsock.so
	@printf 'libsock.so: %s bytes, libsock.a: %s bytes\n' $$(stat -c %s $(shared)) $$(stat -c %s $(static))

# Cargo is always asked: the sources of the library are its to follow. It finds a vendored tree's
# configuration only from within.
.PHONY: FORCE
$(rust): FORCE
	cd $(source) && $(CARGO) rustc --target-dir $(build)/cargo --release --lib --crate-type staticlib $(CARGOFLAGS)

$(build)/symbols: $(source)/libsock.map | $(build)
	sed -n 's/^ *\(sock_[a-z]*\);/\1/p' $< > $@

# Of Rust's static library, with all of std in it, one object is left that holds what the exported
# functions reach, and exports them alone. ARM's tables for unwinding, which reach all of std, go
# before; std's start-up code, which keeps the program's arguments, and bitcode, on which another
# version of LLVM may choke, after. Both libraries are made of it. An exported function begins a cache
# line: the fewer it takes of them, the faster it is when the kernel has used the cache.
$(build)/sock.o: $(rust) $(build)/symbols
	$(OBJCOPY) --remove-section='.ARM.ex*' --remove-section='.rel.ARM.ex*' $< $(build)/rust.a
	$(CC) -r -nostdlib -o $(build)/reached.o $(addprefix -Wl$(comma)-u$(comma),$(shell cat $(build)/symbols)) \
	    $(build)/rust.a -Wl,--gc-sections -Wl,--strip-debug
	$(OBJCOPY) --keep-global-symbols=$(build)/symbols --strip-unneeded --remove-section='.init_array*' \
	    --remove-section='.rel*.init_array*' --remove-section='.llvm*' \
	    --set-section-alignment='.text.sock_*=64' $(build)/reached.o $@

comma := ,

# It is never unloaded: a thread may still be busy with a name that nobody waits for any more.
$(shared): $(build)/sock.o $(source)/libsock.map
	$(CC) -shared -nostartfiles -o $@ $< -Wl,-soname,$(soname) -Wl,--version-script=$(source)/libsock.map \
	    -Wl,--as-needed -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete -pthread $(LDFLAGS)

$(static): $(build)/sock.o
	rm -f $@
	$(AR) rcsD $@ $<

$(build)/libsock.so: $(shared)
	ln -sf $(notdir $(shared)) $(build)/$(soname)
	ln -sf $(soname) $@

$(build) $(build)/examples-c:
	mkdir -p $@

examples: $(examples)

$(build)/examples-c/%: $(source)/examples-c/%.c $(build)/libsock.so | $(build)/examples-c
	$(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -pedantic $(CFLAGS) -I$(source)/include -o $@ $< \
	    -pthread -L$(build) -lsock -Wl,-rpath,$(build) $(LDFLAGS)

test: all
	LIBSOCK_BUILD=$(build) $(source)/tests/run

clean:
	rm -rf $(build)

# What else is made, each beside its subject.
include $(wildcard $(source)/*/rules.mk)
