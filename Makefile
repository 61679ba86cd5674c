# `make` alone prints the targets. Building and testing need Go and git, nothing else; -race needs a C compiler.

GO      ?= go
# Nothing in the program needs C; a static binary runs on any machine of its kind.
export CGO_ENABLED ?= 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X orchestrator/internal/cli.version=$(VERSION)
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
LINT    := $(GO) tool -modfile=tools/go.mod golangci-lint

# Rounds of `make kill`, and the seed of its first round (empty: a new one, printed).
N    ?= 10
SEED ?=

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

.PHONY: test
test: ## run every test
	$(GO) test ./...

.PHONY: test-race
test-race: ## run every test with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

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

.PHONY: kill
kill: build ## kill the owner at random moments and compare with an undisturbed run; N=rounds SEED=first
	$(GO) run ./test/kill -orc bin/orc -rounds $(N) $(if $(SEED),-seed $(SEED))

.PHONY: conformance
conformance: build ## install the real agents, drive them against a scripted model; AGENTS=claude,codex ONLY=turns,kill
	$(GO) run ./test/conformance -orc bin/orc $(if $(AGENTS),-agents $(AGENTS)) $(if $(ONLY),-only $(ONLY))

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
