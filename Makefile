# make test    everything that must hold before a change is merged
# make bench   the whole-system benchmarks; writes a report of each suite to the terminal
# make build   bin/cairn, one static binary
# make format  rewrites the Go files as gofumpt wants them

GO ?= go
# Pebble's zstd in Go rather than C: nothing to compile with gcc, and the same code with and without cgo.
export GOFLAGS := -tags=pebblegozstd $(GOFLAGS)

FOLDERS := $(wildcard bench cmd engine index query server testdata)
DATA := ../shared/data

.PHONY: test format-check vet staticcheck unit static build bench format

test: format-check vet staticcheck unit static
	@[ -d $(DATA) ] || echo "NOTE: $(DATA) is absent: the tests on real data sets were SKIPPED."
	@echo "== all checks passed"

format-check:
	@echo "== gofumpt"
	@files="$$($(GO) tool gofumpt -l $(FOLDERS))" || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted (make format does it):"; echo "$$files"; exit 1; fi

vet:
	@echo "== go vet"
	@$(GO) vet ./...

staticcheck:
	@echo "== staticcheck"
	@$(GO) tool staticcheck ./...

# The repository's own rules are tests too (cmd/tidy), and so are the seeds of the fuzz targets.
unit:
	@echo "== go test -race (unit, golden, script, crash and tidy tests, fuzz seeds)"
	@$(GO) test -race -timeout 30m ./...

static:
	@echo "== build without cgo"
	@CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/cairn

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/cairn ./cmd/cairn

bench:
	$(GO) run ./cmd/bench shop
	$(GO) run ./cmd/bench behaviour
	$(GO) run ./cmd/bench load

format:
	$(GO) tool gofumpt -w $(FOLDERS)
