# Everything a developer or CI runs. It needs Go, git and make; race needs gcc.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

GO        ?= go
TOOL      := $(GO) tool -modfile=tools.mod
FUZZTIME  ?= 10s
TESTFLAGS ?=
# What an embedder compiles, also for the browser.
EMBEDDED  := ./mls ./provider/auto ./storage/mem
PROFILES  := profiles
# Benchmarks of whole groups.
GROUPS_OF := ^Benchmark(Commit|Group|KeyPackage|Add|Join|Save|Load)

.PHONY: all build test short race purego cross fuzz bench bench-groups benchcmp profile demo vectors \
	lint vuln cover generate check-generate crash hsm hsm-deps arm64 ci

all: build lint test

build:
	$(GO) build ./...

# demo shows a group at work on the project's own README: members join, send
# files, are removed, reload from storage.
demo:
	$(GO) run ./cmd/hardmls demo README.md

test:
	$(GO) test $(TESTFLAGS) ./...

short:
	$(GO) test -short $(TESTFLAGS) ./...

race:
	$(GO) test -race $(TESTFLAGS) ./...

# purego runs everything without assembly.
purego:
	$(GO) test -tags purego $(TESTFLAGS) ./...

# cross shows that other machines compile: 64-bit ARM, 32-bit x86, the browser,
# and a build without cgo.
cross:
	GOARCH=arm64 $(GO) vet ./...
	GOARCH=386 $(GO) build $(EMBEDDED)
	GOOS=js GOARCH=wasm $(GO) build $(EMBEDDED)
	CGO_ENABLED=0 $(GO) build ./...
	$(GO) vet -tags nopkcs11 ./provider/pkcs11

# fuzz runs every fuzz target for FUZZTIME each.
fuzz:
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

# bench takes about ten minutes; benchcmp compares its figures with the
# committed baseline.
bench:
	$(GO) test ./bench -run '^$$' -bench . -skip '$(GROUPS_OF)' -benchmem -benchtime=200ms -count=10 -timeout 0 | tee bench/new.txt

# bench-groups is for operations on groups of up to 10,000: a few minutes.
bench-groups:
	$(GO) test ./bench -run '^$$' -bench '$(GROUPS_OF)' -benchmem -benchtime=10x -count=3 -timeout 0 | tee bench/groups.txt

benchcmp:
	$(TOOL) benchstat bench/baseline.txt bench/new.txt

# profile writes CPU and memory profiles of the send and the receive path and
# prints their tops.
profile:
	@mkdir -p $(PROFILES)
	@for path in AppendMessage OpenMessage; do \
	  $(GO) test ./bench -run '^$$' -bench "^Benchmark$$path\$$/^suite=1\$$/^size=256\$$/^members=2\$$" -benchtime=2s -benchmem \
	    -o $(PROFILES)/bench.test -cpuprofile $(PROFILES)/$$path.cpu.prof \
	    -memprofile $(PROFILES)/$$path.mem.prof -memprofilerate=1; \
	  $(GO) tool pprof -top -nodecount=15 $(PROFILES)/bench.test $(PROFILES)/$$path.cpu.prof; \
	  $(GO) tool pprof -top -nodecount=15 -sample_index=alloc_objects $(PROFILES)/bench.test $(PROFILES)/$$path.mem.prof; \
	done

# vectors gets the official test vectors into testvectors/official.
vectors:
	$(GO) run ./testvectors/fetch

lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -C internal/asm/_gen ./...
	$(TOOL) staticcheck ./...

vuln:
	.ci/vuln

cover:
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -n 1

generate:
	$(GO) generate ./...

check-generate: generate
	git diff --exit-code

# arm64 runs the kernels for arm64 under qemu.
arm64:
	.ci/arm64

# crash kills a process at every batch that it writes, and looks at what is left.
crash:
	$(GO) test ./mls -run '^TestCrash' -count=1 -v

# hsm runs everything that talks to a token, after installing two in software.
hsm: hsm-deps
	$(GO) test $(TESTFLAGS) ./provider/pkcs11/...
	$(GO) test $(TESTFLAGS) ./cmd/hardmls -run HSM

# hsm-deps installs software tokens for the tests of provider/pkcs11.
hsm-deps:
	.ci/hsm-deps

ci:
	.ci/run
