# `make up` and `make test` do all set-up themselves; `make help` lists the rest.
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)
SUDO := $(shell [ "$$(id -u)" -eq 0 ] || echo sudo)
say = @printf '\033[1m==> %s\033[0m\n'

.PHONY: help up test test-guest build install fmt lint unit e2e bench codegen compatibility

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

up: setup-run build install ## Build, install and start Longshore with a first task
	$(say) "starting longshore (Ctrl-C to leave; containers go on)"
	$(SUDO) /usr/local/bin/longshore up --demo

# Whole files side by side: most of their time they wait.
AT_ONCE := -n 2 --dist loadfile

test: setup-test build-test ## Run every test: Rust, rules of the house, end to end
	$(say) "Rust: unit, property and crash tests"
	cargo test --workspace --quiet
	$(say) "end to end: the real binary, real containers, boto3 and the AWS CLI"
	$(SUDO) env PATH="$$PATH" LONGSHORE_BIN=$(CURDIR)/target/release/longshore .venv/bin/pytest -q $(AT_ONCE) tests/e2e
	$(say) "the fields of containers once more, by the public agent's protocol alone"
	$(SUDO) env PATH="$$PATH" LONGSHORE_BIN=$(CURDIR)/target/release/longshore LONGSHORE_TEST_PUBLIC_PROTOCOL=1 \
		.venv/bin/pytest -q $(AT_ONCE) $(addprefix tests/e2e/test_,container_fields.py ports.py real_definitions.py)

test-guest: setup-test build ## Boot an older kernel with cgroup v2 in QEMU, run what meets the kernel there
	@scripts/guest/setup.sh
	$(say) "gathering what the guest runs"
	tests/guest/prepare.sh target/release/longshore
	$(SUDO) env PATH="$$PATH" scripts/guest/boot.sh "$(KERNEL)" $(CURDIR)/tests/guest/$(or $(GUEST),run).sh

setup-run:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

build: ## Build the release binary
	$(say) "building longshore (a cold build takes some minutes)"
	cargo build --release --package longshore

build-test: build
	$(say) "building the tests"
	cargo test --workspace --no-run --quiet

install:
	$(say) "installing /usr/local/bin/longshore"
	$(SUDO) install -m 755 target/release/longshore /usr/local/bin/longshore.new
	$(SUDO) mv /usr/local/bin/longshore.new /usr/local/bin/longshore

fmt: ## Format
	cargo fmt --all

lint: ## Clippy with warnings denied, format, and the rules of the house
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo xtask tidy

unit: ## Only the Rust tests
	cargo test --workspace

e2e: setup-test build ## Only the end-to-end tests
	$(SUDO) env PATH="$$PATH" LONGSHORE_BIN=$(CURDIR)/target/release/longshore .venv/bin/pytest -q $(AT_ONCE) tests/e2e

BENCHES := launch api state placement services pull logs replace deploy health network interfaces connect

bench: build ## Measure this build on this machine, all there is (a quarter of an hour; root)
	$(say) "measuring; absolute figures move with the machine, compare within one run"
	@for what in $(BENCHES); do echo; $(SUDO) target/release/longshore bench $$what || exit 1; done

codegen: ## Generate the wire shapes again
	cargo xtask codegen

compatibility: ## Write docs/compatibility.md again
	cargo run --quiet -p longshore -- compatibility > docs/compatibility.new
	mv docs/compatibility.new docs/compatibility.md
