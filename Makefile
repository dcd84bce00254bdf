# libsock: needs Rust, a C compiler with a linker of GNU or LLVM, and make; the tests need Python 3 too.
#
#   make                      the shared and the static library, and the C examples
#   make lib                  the libraries alone
#   make demo                 the three modes, a deadline, a cancel and lines, on real sockets
#   make test                 everything; ends in a countable summary
#   make clean                removes what was built
#   make help                 all that can be made
#
# What is built goes into build, or into BUILD=DIRECTORY.

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

# Make separates the names of files by spaces, so no path that make itself uses may have one. The source is "." if make
# runs there, and the build is the path that was given. All other paths reach only the shell, quoted.
source := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
build := $(or $(BUILD),build)
ifeq ($(wildcard $(source)/packaging/paths.mk),)
$(error the source has a space in its path: run make in it, or with -C, not with -f)
endif
include $(source)/packaging/paths.mk
built := $(call absolute,$(build))

version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(source)/Cargo.toml)
soname := libsock.so.$(firstword $(subst ., ,$(version)))
shared := $(build)/libsock.so.$(version)
static := $(build)/libsock.a
# tls-fetch alone needs OpenSSL. Its first lines say how to build it.
examples := $(patsubst $(source)/examples-c/%.c,$(build)/examples-c/%,\
    $(filter-out %/tls-fetch.c,$(wildcard $(source)/examples-c/*.c)))

.DELETE_ON_ERROR:
.PHONY: all lib examples demo test clean help FORCE

all: lib examples

lib: $(shared) $(static) $(build)/libsock.so
	@printf 'libsock.so: %s bytes, libsock.a: %s bytes\n' $$(stat -c %s $(shared)) $$(stat -c %s $(static))

# This is checked before Cargo compiles anything.
linker_takes = printf 'int probe(void) { return 0; }' > $(build)/probe.c && \
    $(CC) -c -o $(build)/probe.o $(build)/probe.c && \
    $(CC) -r -nostdlib -o $(build)/probed.o -Wl,-u,probe $(build)/probe.o -Wl,--gc-sections -Wl,--strip-debug

# Cargo always runs: it alone knows which sources have changed, and where it writes the library. It must run inside the
# source to find the configuration of a vendored tree. The target becomes a link to the file that Cargo made.
define cargo_rustc
	cd $(source) && $(CARGO) rustc --target-dir $(built)/$1 --lib --message-format json-render-diagnostics $2 > $(built)/$1.json
	ln -sf "$$(sed -n 's|.*"filenames":\["\([^"]*/libsock\.r*l*i*[ab]\)".*|\1|p' $(build)/$1.json)" $@
endef

$(build)/cargo.a: FORCE | $(build)
	@$(linker_takes) 2> $(build)/probe.log || { cat $(build)/probe.log; \
	    echo '$(CC) cannot link libsock: it takes a C compiler with the linker of GNU (ld.bfd) or LLVM (ld.lld).' \
	        'gold and tcc lack --gc-sections with -r.'; exit 1; }
	$(call cargo_rustc,cargo,--release --crate-type staticlib $(CARGOFLAGS))

$(build)/symbols: $(source)/abi/symbols.txt | $(build)
	sed -n 's/^\(sock_[a-z_]*\) .*/\1/p' $< > $@

$(build)/libsock.map: $(source)/abi/symbols.txt $(source)/abi/version-script | $(build)
	$(source)/abi/version-script $< > $@

# Both libraries are made of one object. It is made of Rust's static library, which has all of std in it. It holds the code
# that the exported functions reach, and exports these functions alone.
#
#  1. The tables for unwinding on ARM are removed first: they reach all of std.
#  2. The linker drops all code that no exported function reaches.
#  3. The start-up code of std, which keeps the program's arguments, is removed. So is bitcode, which another version of LLVM
#     may not read. Every exported function begins a cache line: the fewer lines it takes, the faster it is after the
#     kernel has used the cache.
$(build)/sock.o: $(build)/cargo.a $(build)/symbols
	$(OBJCOPY) --remove-section='.ARM.ex*' --remove-section='.rel.ARM.ex*' $< $(build)/rust.a
	$(CC) -r -nostdlib -o $(build)/reached.o $(addprefix -Wl$(comma)-u$(comma),$(shell cat $(build)/symbols)) \
	    $(build)/rust.a -Wl,--gc-sections -Wl,--strip-debug
	$(OBJCOPY) --keep-global-symbols=$(build)/symbols --strip-unneeded --remove-section='.init_array*' \
	    --remove-section='.rel*.init_array*' --remove-section='.llvm*' \
	    --set-section-alignment='.text.sock_*=64' $(build)/reached.o $@

# It is never unloaded (nodelete): a thread may still run an abandoned lookup of a name.
$(shared): $(build)/sock.o $(build)/libsock.map
	$(CC) -shared -nostartfiles -o $@ $< -Wl,-soname,$(soname) -Wl,--version-script=$(build)/libsock.map \
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
	    -pthread -L$(build) -lsock -Wl,-rpath,$(built) $(LDFLAGS)

test: python all
	LIBSOCK_BUILD=$(built) $(source)/tests/run

# This is checked before everything is built.
.PHONY: python
python:
	@command -v python3 > /dev/null || { echo 'the tests need Python 3, and there is no python3'; exit 1; }

clean:
	rm -rf $(build)

# The list is made from the comments at the beginning of the files.
help:
	@awk -F '  +' '/^#   make/ { printf "  %-26s %s\n", $$2, $$3 }' $(source)/Makefile $(rules)

# Further commands, each in the folder of its subject.
rules := $(sort $(wildcard $(source)/*/rules.mk))
include $(rules)
