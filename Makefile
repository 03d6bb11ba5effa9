# The only front door; CI calls the same targets. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := bash

# The shipped binary is static: an image then holds it and nothing else. The target is named so that build scripts
# and macros, which run here, do not get the flag.
TARGET := $(shell uname -m)-unknown-linux-gnu
BINARY := target/$(TARGET)/release/netvitals
STATIC := RUSTFLAGS="-C target-feature=+crt-static"

# How many clusters with quick intervals share the scenarios of `make e2e`, beside the one that shows netvitals as it
# ships. They wait more than they work, but each takes most of a processor: three leave two processors no room, and
# things become late that nobody made late.
LANES ?= $(if $(ONLY),1,2)

.PHONY: help run lint test e2e chart cluster cluster-down tools image bench clean

help: ## say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

run: ## a simulated cluster and the real roles against it; no Kubernetes needed (RUN='demo --list')
	cargo run --quiet -- $(or $(RUN),demo)

lint: ## form, clippy, and the dependencies that are banned
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --test chart --test e2e -- -D warnings
	cargo test --quiet --test repository dependencies

test: ## everything that needs neither root nor Go
	cargo test

e2e: need-root tools image ## the five signs on a real cluster; root on Linux, Go (ONLY='name…' picks scenarios)
	$(MAKE) --no-print-directory $(if $(ONLY),,-j2 beside) scenarios

# Scenarios wait more than they work: what only works goes beside them, and takes what they leave.
.PHONY: beside scenarios
beside:
	nice -n 19 alerts/check
	nice -n 19 $(MAKE) --no-print-directory chart
scenarios:
	NETVITALS_BINARY=$(BINARY) cargo test --test e2e -- --lanes=$(LANES) $(ONLY)

chart: need-root ## the Helm chart by Helm 3 and 4, and the image; root, Go (UPDATE_GOLDEN=1 renders deploy/kustomize)
	tests/tools/packages
	NETVITALS_BINARY=$(BINARY) cargo test --test chart

cluster: need-root tools image ## a real cluster with netvitals on it, until Ctrl-C
	NETVITALS_BINARY=$(BINARY) cargo test --quiet --test e2e -- --stay

cluster-down: need-root ## end every cluster that `make cluster` started
	cargo test --quiet --test e2e -- --down

tools: ## the programs of the test bed: packages of Debian, and Go programs from pinned modules
	tests/tools/packages
	tests/tools/build >/dev/null

image: ## the static binary that ships
	NETVITALS_REVISION=$${NETVITALS_REVISION-$$(git describe --always --dirty --abbrev=40 --exclude="*" 2>/dev/null)} \
		$(STATIC) cargo build --quiet --release --target $(TARGET) --features jemalloc --bin netvitals

bench: ## memory and CPU figures, as a table; built as the image is
	$(STATIC) cargo bench --quiet --target $(TARGET) --features jemalloc --bench vitals

clean: ## remove what was built here; the cache of tools stays
	cargo clean

.PHONY: need-root
need-root:
	@[ "$$(uname -s)" = Linux ] || { echo "this needs Linux: the cluster is made of its namespaces" >&2; exit 1; }
	@[ "$$(id -u)" = 0 ] || { echo "this needs root: the cluster is made of network and mount namespaces" >&2; exit 1; }
