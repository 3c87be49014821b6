# The two things to do with a fresh clone. Each sees to what it needs, PostgreSQL included.

# Options for the demo: make demo ARGS="--port 8080"
ARGS ?=

# Where rustup puts cargo, for a shell that was opened before.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: demo test setup

demo: setup
	cargo run --release -- demo $(ARGS)

test: setup
	cargo test

setup:
	@.ci/setup
