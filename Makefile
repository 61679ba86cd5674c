# `make` alone prints the targets. Building and testing need Go and git, nothing else; -race needs a C compiler.

GO      ?= go
# Nothing in the program needs C; a static binary runs on any machine of its kind.
export CGO_ENABLED ?= 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X orchestrator/internal/cli.version=$(VERSION)
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
LINT    := $(GO) tool -modfile=tools/go.mod golangci-lint

# Disturbances of `make torture` (plans of `make exhaust`, rounds of `make disk`, kills of `make kill-store`), the seed of the first round (empty:
# a new one, printed), and after how long no round is begun any more (empty: no limit).
N     ?=
SEED  ?=
LIMIT ?=
TORTURE := $(GO) run ./test/torture $(if $(SEED),-seed $(SEED)) $(if $(LIMIT),-limit $(LIMIT))

.DEFAULT_GOAL := help

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/orc
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/orc ./cmd/orc

.PHONY: demo
demo: build ## run a plan of real commands on a scratch repository and show the result
	$(GO) run ./examples/demo -orc bin/orc

# The race detector would have each of the many programs that the tests start sleep for a second at its end.
.PHONY: test
test: ## run every test; TESTFLAGS=… for go test
	GORACE="atexit_sleep_ms=0 $$GORACE" $(GO) test $(TESTFLAGS) ./...

.PHONY: test-race
test-race: ## run every test with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(MAKE) --no-print-directory test TESTFLAGS=-race

.PHONY: lint
lint: ## check style and common mistakes; the first time it builds the linter
	$(LINT) run

.PHONY: fmt
fmt: ## format the code
	$(LINT) fmt

.PHONY: cross
cross: ## build for linux and darwin, amd64 and arm64, into dist/
	@set -e; for target in $(TARGETS); do \
		out=dist/orc-$${target%/*}-$${target#*/}; echo "build $$out"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $$out ./cmd/orc; \
	done

.PHONY: bench
bench: build ## measure against the floor: bare fork+exec, git by hand, the lower bound of a schedule
	$(GO) run ./test/bench -orc bin/orc

.PHONY: torture
torture: orc-torture ## kill, freeze and race owners and compare with an undisturbed run; N=disturbances SEED=first LIMIT=4m
	$(TORTURE) -orc bin/orc-torture -kills $(or $(N),100)

.PHONY: exhaust
exhaust: orc-torture ## die at every passing of every named point, also while resuming; N=plans SEED=first
	$(TORTURE) -orc bin/orc-torture -exhaustive $(or $(N),1)

.PHONY: disk
disk: orc-torture ## fill the disk while a run goes on; N=rounds SEED=first; needs root, for a small disk in memory
	$(TORTURE) -orc bin/orc-torture -disk $(or $(N),10)

.PHONY: mutants
mutants: ## plant bugs, one after another, and prove that the tests of recovery notice each; ONLY=name
	$(GO) build -trimpath -tags orcfault,orcmutant -o bin/orc-mutants ./cmd/orc
	$(GO) test -c -tags orcmutant -o bin/simulation.test ./internal/orchestrator
	$(TORTURE) -orc bin/orc-mutants -simulation bin/simulation.test -mutants $(if $(ONLY),-only $(ONLY))

# The program with its fault points.
.PHONY: orc-torture
orc-torture:
	$(GO) build -trimpath -tags orcfault -o bin/orc-torture ./cmd/orc

.PHONY: bench-store
bench-store: ## measure the store beside a C program (needs cc and SQLite's header) and the usual Go; DIR=where
	$(GO) run ./test/benchstore $(if $(DIR),-dir $(DIR))

.PHONY: bench-flood
bench-flood: build ## 1,000 tasks whose 16 agents print 10,000 lines a second each: keys, memory, lost lines; FLAGS=-help
	$(GO) run ./test/flood -orc bin/orc $(FLAGS)

.PHONY: screenshots
screenshots: build ## take the pictures of the manual anew, from a real run: docs/screens
	$(GO) run ./test/screenshots -orc bin/orc

.PHONY: kill-store
kill-store: ## kill writers of the store at random moments and look for what is lost (needs sqlite3); N=kills SEED=first
	$(GO) run ./test/killstore -kills $(or $(N),1000) $(if $(SEED),-seed $(SEED))

.PHONY: conformance
conformance: build ## install the real agents, drive them against a scripted model; AGENTS=claude,codex ONLY=turns,run
	$(GO) run ./test/conformance -orc bin/orc $(if $(AGENTS),-agents $(AGENTS)) $(if $(ONLY),-only $(ONLY))

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
