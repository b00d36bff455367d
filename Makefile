# make alone prints what there is to make.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL    := go tool -modfile=tools/go.mod
FUZZTIME ?= 20s

# A continuous build must not pass because it had no browser to test with.
ifeq ($(CI),true)
export TREEWARDEN_REQUIRE_BROWSER ?= 1
endif

TESTS    = go test -v -timeout 45m $(TESTFLAGS)
SUMMARY  = awk -v require_browser="$${TREEWARDEN_REQUIRE_BROWSER:-0}" -f tools/tests.awk

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/treewarden
	@go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/treewarden ./cmd/treewarden

.PHONY: run
run: build ## build and serve the demonstration; ARGS="--listen :9000" adds flags
	@exec bin/treewarden demo $(ARGS)

.PHONY: test
test: ## run every test, those in the browser too; PKG=./store runs one package's
	@$(TESTS) $(or $(PKG),./...) 2>&1 | $(SUMMARY)

.PHONY: check
check: lint vulnerabilities modules html openapi race ## what must pass: all below, every test under the race detector

.PHONY: lint
lint: ## check the format, vet, staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:" >&2; echo "$$unformatted" >&2; exit 1; fi
	@go vet ./...
	@$(TOOL) staticcheck ./...
	@echo "format, vet, staticcheck: fine"

.PHONY: vulnerabilities
vulnerabilities: ## look for known vulnerabilities in what the program calls
	@status=0; report=$$($(TOOL) govulncheck ./... 2>&1) || status=$$?; \
	if [ $$status -eq 0 ]; then echo "govulncheck: fine"; \
	elif grep -q 'fetching vulnerabilities' <<<"$$report"; then \
		echo "================================================================================"; \
		echo "SKIPPED: govulncheck, because its database cannot be reached from here."; \
		echo "$$report" | tail -n 1; \
		echo "================================================================================"; \
	else echo "$$report"; exit $$status; fi

.PHONY: html
html: ## check every page with the Nu HTML checker; needs npm, java and a browser
	@tools/npm-checks html

.PHONY: openapi
openapi: ## check the description of the API with redocly lint; needs npm
	@tools/npm-checks openapi

.PHONY: modules
modules: ## check that go.mod and go.sum are tidy and the modules unaltered
	@go mod tidy -diff
	@go mod verify

.PHONY: race
race: ## run every test under the race detector
	@$(TESTS) -race $(or $(PKG),./...) 2>&1 | $(SUMMARY)

# The packages that share memory between goroutines most: the boards, the
# counters, the import, the policy. The browser tests take too long under the
# race detector for every build, and so do some tests of much data, which are
# shorter here; make race runs all of them in full.
.PHONY: race-core
race-core: ## run the tests of store, scoring, policy and corpus under the race detector
	@$(MAKE) race TESTFLAGS="-short $(TESTFLAGS)" PKG="./store/... ./scoring/... ./policy/... ./corpus/..."

.PHONY: bench
bench: ## measure against Open-Assistant's own design; SCALE=S,M adds ten times the data, ARGS="-only board" chooses
	@go run ./bench -scale $(or $(SCALE),S) $(ARGS)

.PHONY: bench-go
bench-go: ## run the benchmarks of single functions; BENCH=Import runs some
	@go test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -timeout 60m \
		$$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n 1 dirname | sort -u)

.PHONY: fuzz
fuzz: ## fuzz every fuzz test for FUZZTIME (20s)
	@grep -r --include='*_test.go' '^func Fuzz' . | \
		sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | \
		while read -r dir name; do go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; done

.PHONY: patterns
patterns: ## show every component in its states on one page, in .treewarden/patterns, with pictures
	@mkdir -p .treewarden/patterns
	@TREEWARDEN_REQUIRE_BROWSER=1 TREEWARDEN_PATTERNS=$(CURDIR)/.treewarden/patterns \
		go test ./admin/e2e -run Patterns -count=1
	@echo "open .treewarden/patterns/index.html"

.PHONY: screenshots
screenshots: ## take the pictures of the README, into docs/img
	@mkdir -p docs/img
	@TREEWARDEN_REQUIRE_BROWSER=1 TREEWARDEN_SCREENSHOTS=$(CURDIR)/docs/img go test ./admin/e2e -run Screenshots -count=1

.PHONY: clean
clean: ## remove what was built; the data in .treewarden stays
	@rm -rf bin
