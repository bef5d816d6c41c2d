# Everything that can be done with this tree. `make` alone lists the rules.

SWIFT ?= swift
BUILD_FLAGS = --explicit-target-dependency-import-check error
# One binary that needs nothing of Swift on the machine that runs it. Exclusivity checks are left out of dependencies as
# Package.swift leaves them out of our own targets in the request path. Debug builds, which the tests run, have them
# all. Optimised once more at link time, across modules: two minutes and 2.3 GB for 13 % of a plain request's
# instructions. Nothing loads the program as a library: it exports no symbols, which were 1.5 MB. Those for debuggers
# stay, and go where it is installed: packages, images and `make install` strip it.
RELEASE_FLAGS = -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked \
  --experimental-lto-mode full -Xlinker --no-export-dynamic
# How many tests run at a time. Without it all of them start at once, share a few cores, and each lasts as long as all
# do: then no timeout that a test sets is long enough. The whole takes as long with it.
TEST_WIDTH = 8
TEST_FLAGS = --disable-xctest --skip-build --experimental-maximum-parallelization-width $(TEST_WIDTH)

PREFIX ?= /usr/local

# What building needs, what the demo and the tests need besides, and what all rules need together.
BUILD_PACKAGES = libssl-dev libnghttp2-dev zlib1g-dev libisal-dev libbrotli-dev libyaml-dev pkg-config
DEMO_PACKAGES = $(BUILD_PACKAGES) curl ca-certificates
TEST_PACKAGES = $(DEMO_PACKAGES) nginx openssl python3 python3-venv python3-jwt python3-cryptography nghttp2-client \
  testssl.sh dnsmasq-base lighttpd apache2-bin php-fpm valgrind binutils git wget prometheus redis-server \
  chromium-driver glewlwyd
PACKAGES = $(TEST_PACKAGES) dpkg-dev patchelf mandoc shellcheck

MAKEFLAGS += --no-print-directory
HAS_SWIFT = $(shell command -v $(SWIFT))

.PHONY: help setup demo build release test lint format docs site fuzz bench guard lint-deploy clean image deb tarball \
  install swift-is-there build-packages

help:
	@echo 'make demo     build, and run an issuer, an upstream and the gateway on loopback, with curl lines to paste'
	@echo '              Without Swift it runs the installed catraca'
	@echo 'make setup    install the system packages that the other rules need, with apt-get, as root or through sudo'
	@echo 'make build    build for debugging'
	@echo 'make release  build .build/release/catraca, optimised, with the Swift runtime in it'
	@echo 'make test     lint, build and run all tests'
	@echo 'make lint     check the formatting, warnings and imports'
	@echo 'make format   format the source'
	@echo 'make image    build the container image docker/Dockerfile, with docker, podman or buildah'
	@echo 'make deb      make a package for Debian and Ubuntu, in .build/packages'
	@echo 'make tarball  make an archive of the program with its manual, in .build/packages'
	@echo 'make install  install into PREFIX (/usr/local), below DESTDIR'
	@echo 'make docs     write the generated parts of the documents'
	@echo 'make site     build the documents as pages into .build/site, and check their links'
	@echo 'make fuzz     run the fuzzers one after the other (TARGET=request-heads for one, TIME=600 for seconds)'
	@echo 'make bench    measure beside nginx, HAProxy, h2o, Caddy and Envoy on this machine; CASE=plain for one case'
	@echo 'make guard    count the instructions of fixed exchanges, and fail if they are more than before'
	@echo 'make lint-deploy  check docker/ and docs/observability (CATRACA=... names the binary)'
	@echo 'make clean    remove what was built'
	@echo
	@echo 'make demo and make test call make setup for packages that are missing. No other rule touches the system.'
	@echo 'All that setup installs: $(PACKAGES)'

demo:
	@$(call ensure,$(if $(HAS_SWIFT),$(DEMO_PACKAGES),curl))
	@$(if $(HAS_SWIFT),$(MAKE) release,command -v catraca > /dev/null || { \
	  echo 'Neither Swift nor an installed catraca is found. Install Swift from https://www.swift.org/install/,'; \
	  echo 'or run `./catraca demo` of the tarball, or `docker run --network host catraca demo` of the image'; exit 1; })
	@# PORT, TLS_PORT and ADMIN_PORT choose others; 0 takes a free one.
	$(if $(HAS_SWIFT),.build/release/catraca,catraca) demo $(if $(PORT),--port $(PORT)) \
	  $(if $(TLS_PORT),--tls-port $(TLS_PORT)) $(if $(ADMIN_PORT),--admin-port $(ADMIN_PORT))

# Installs those of the packages that are missing, and touches neither network nor system when none is. What is a
# service is not started: Debian asks policy-rc.d, which is there while it installs.
setup:
	@missing=$$($(call missing,$(PACKAGES))); \
	test -n "$$missing" || { echo 'Everything is installed'; exit 0; }; \
	if ! command -v apt-get > /dev/null; then \
	  echo "These packages, or what they are called on this system, are missing:$$missing"; exit 1; \
	elif test "$$(id -u)" = 0; then sudo=; \
	elif command -v sudo > /dev/null; then sudo=sudo; \
	else echo "As root, please: apt-get update && apt-get install$$missing"; exit 1; \
	fi; \
	echo "Installing$$missing"; \
	policy=/usr/sbin/policy-rc.d; \
	if ! test -e $$policy; then \
	  trap "$$sudo rm -f $$policy" EXIT; \
	  printf '#!/bin/sh\nexit 101\n' | $$sudo tee $$policy > /dev/null && $$sudo chmod 755 $$policy; \
	fi; \
	$$sudo apt-get update -q && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing || \
	{ echo "apt-get could not install$$missing: please do, and run make again"; exit 1; }

build: build-packages
	$(SWIFT) build $(BUILD_FLAGS) --product catraca

release: build-packages
	@# `catraca version` prints both. COMMIT is for builds without the repository, such as that of the image.
	CATRACA_COMMIT="$(or $(COMMIT),$$(git describe --always --dirty 2> /dev/null))" \
	CATRACA_SWIFT="$$($(SWIFT) --version 2> /dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p')" \
	$(SWIFT) build $(RELEASE_FLAGS) --product catraca

image:
	.ci/image

deb: need-binutils need-dpkg-dev release
	docker/package/build deb .build/packages

tarball: need-binutils need-patchelf release
	docker/package/build tarball .build/packages

install: need-binutils release
	docker/package/build install $(PREFIX)

test: swift-is-there
	@$(call ensure,$(TEST_PACKAGES))
	@# gRPC's own library for both ends of calls. Where it cannot be had, its tests say so; in CI they fail.
	@python3 -c 'import grpc' 2> /dev/null || .ci/python-tools .build/python grpcio || \
	  echo 'grpcio could not be installed into .build/python: its tests are skipped'
	@$(MAKE) lint
	@# What failed is printed once more at the end: between the lines of 1,700 tests nobody finds it.
	@echo '$(SWIFT) test $(TEST_FLAGS)'; \
	{ $(SWIFT) test $(TEST_FLAGS); echo $$? > .build/test-status; } 2>&1 | tee .build/test-log; \
	status=$$(cat .build/test-status); \
	test "$$status" = 0 || { echo; echo 'What failed:'; grep -A 3 'recorded an issue' .build/test-log | head -n 200; }; \
	exit $$status

lint: build-packages
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Fuzzing
	$(SWIFT) build $(BUILD_FLAGS) --build-tests

format: swift-is-there
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests Fuzzing

docs: build-packages
	$(SWIFT) run $(BUILD_FLAGS) Documents

site: need-python3 need-python3-venv
	.ci/site

fuzz: build-packages need-binutils
	@# What it finds lies in .build-fuzz/finds. KEEP=1 takes what led furthest into Fuzzing/Corpus afterwards.
	SWIFT=$(SWIFT) Fuzzing/run $(if $(TIME),-t $(TIME)) $(TARGET)
	$(if $(KEEP),Fuzzing/keep $(TARGET))

bench: release
	@# CASE names some cases, several in quotes; WORKERS is how many each proxy has; OPTIONS are those of Benchmarks/run.
	Benchmarks/run $(CASE) $(if $(WORKERS),--workers $(WORKERS)) $(OPTIONS)

guard: need-valgrind need-binutils need-nginx need-openssl need-python3 need-nghttp2-client release
	@# WRITE=1 writes the counts down instead of judging them by what is written.
	PYTHONDONTWRITEBYTECODE=1 python3 Benchmarks/harness/guard.py $(if $(WRITE),--write)

lint-deploy: need-python3 need-python3-venv need-prometheus
	.ci/lint-deploy

clean:
	rm -rf .build .build-fuzz

swift-is-there:
	@command -v $(SWIFT) > /dev/null || { \
	  echo 'Swift 6.2 or later is needed and not found: https://www.swift.org/install/'; exit 1; }

build-packages: swift-is-there $(BUILD_PACKAGES:%=need-%)

# Fails if a package is missing.
need-%:
	@missing=$$($(call missing,$*)); \
	test -z "$$missing" || { echo "Missing:$$missing. make setup installs what is missing"; exit 1; }

# $(call missing,PACKAGES): prints those that are missing. A program counts as there however it came, a library when its
# package is. Tokens of somebody else's library are made by joserfc or PyJWT, whichever is there. Debian's Python has
# the making of environments in a package of its own. Of the systems with apt-get, only Debian has a package of the
# browser that tests drive, and of the provider that ends sessions. Elsewhere those tests are skipped.
define missing
for package in $(1); do \
  case $$package in \
    libnghttp2-dev) pkg-config --exists libnghttp2 ;; \
    zlib1g-dev) pkg-config --exists zlib ;; \
    libisal-dev) pkg-config --exists libisal ;; \
    libbrotli-dev) pkg-config --exists libbrotlienc ;; \
    libyaml-dev) pkg-config --exists yaml-0.1 ;; \
    libssl-dev) pkg-config --exists 'openssl >= 3' ;; \
    ca-certificates) test -e /etc/ssl/certs ;; \
    nghttp2-client) command -v h2load ;; \
    dpkg-dev) command -v dpkg-shlibdeps ;; \
    binutils) command -v strip ;; \
    apache2-bin) PATH="$$PATH:/usr/sbin" command -v apache2 ;; \
    dnsmasq-base) PATH="$$PATH:/usr/sbin" command -v dnsmasq ;; \
    testssl.sh) command -v testssl || command -v testssl.sh ;; \
    php-fpm) ls /usr/sbin/php-fpm* ;; \
    chromium-driver | glewlwyd) test "$$(. /etc/os-release; echo $$ID)" != debian || \
      command -v $$(test $$package = glewlwyd && echo glewlwyd || echo chromedriver) ;; \
    python3-venv) python3 -c 'import ensurepip' ;; \
    python3-jwt | python3-cryptography) python3 -c 'import joserfc' || python3 -c 'import jwt, cryptography' ;; \
    *) PATH="$$PATH:/usr/sbin:/sbin" command -v $$package ;; \
  esac > /dev/null 2>&1 || printf ' %s' $$package; \
done
endef

# $(call ensure,PACKAGES): has those installed that are missing.
define ensure
missing=$$($(call missing,$(1))); \
test -z "$$missing" || { echo "Missing:$$missing. make setup installs them now"; $(MAKE) setup PACKAGES="$$missing"; }
endef
