# libsock beside the other ways that a program has to wait.
#
#   make bench            all of it, in twelve minutes or so; into docs/benchmarks
#   make bench QUICK=1    the same in a minute or so, to see that it works; into build/benches/results
#   make bench OUT=DIR    into DIR

RUSTC ?= rustc
PYTHON ?= python3

bench_source := $(source)/benches
bench_out = $(call absolute,$(or $(OUT),$(if $(QUICK),$(build)/benches/results,$(source)/docs/benchmarks)))
# Libraries by their names in pkg-config, as their files are named. One that is missing is left out, and
# the run tells how to install it.
bench_found = $(foreach library,apr-1 gio-2.0 nspr,$(shell pkg-config --exists $(library) && echo $(library)))
bench_files = $(wildcard $(addprefix $(bench_source)/,*.c measures/*.c)) $(addprefix $(bench_source)/peers/, \
    table.c blocking.c libsock.c poll.c rcvtimeo.c rust.c $(addsuffix .c,$(bench_found)))

# Go finds the modules of its own library without a network, and keeps what it builds beside the rest.
bench_go := $(shell command -v go)

.PHONY: bench bench-build

bench: bench-build
	BENCH=$(built)/benches/bench $(PYTHON) -B $(bench_source)/run.py $(if $(QUICK),--quick) $(bench_out)
	$(PYTHON) -B $(bench_source)/charts.py $(bench_out)

# It is always built again, because a library may have been installed since.
bench-build: $(build)/libsock.so
	mkdir -p $(build)/benches
	$(RUSTC) --edition 2024 -O -C panic=abort --crate-type staticlib -o $(build)/benches/librust.a $(bench_source)/peers/rust.rs
	$(if $(bench_go),cd $(bench_source)/peers && CGO_ENABLED=0 GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local \
	    GOCACHE=$(built)/benches/go-cache GOPATH=$(built)/benches/go-path $(bench_go) build -buildvcs=false -o $(built)/benches/go go.go,rm -f $(build)/benches/go)
	$(CC) -std=c11 -D_GNU_SOURCE -DRUST_VERSION='"$(word 2,$(shell $(RUSTC) --version))"' -Wall -Wextra -pedantic $(CFLAGS) \
	    -I$(source)/include $(if $(bench_found),$(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(bench_found)))) \
	    -o $(build)/benches/bench $(bench_files) -pthread $(build)/benches/librust.a -L$(build) -lsock -Wl,-rpath,$(built) \
	    $(if $(bench_found),$(shell pkg-config --libs $(bench_found))) -lm -ldl $(LDFLAGS)
