# Attune. `make` builds; `make help` lists the rest.

PACKAGES := libopenblas-dev libhdf5-dev zlib1g-dev libzstd-dev libpng-dev libavcodec-dev libavformat-dev \
  libswscale-dev libmujoco-dev libopenmpi-dev openmpi-bin libosmesa6-dev libchipmunk-dev libpango1.0-dev fonts-dejavu-core
PYTHON ?= python3
SWIFT ?= swift
# Tests run optimized: the C kernels are a hundred times slower without.
TEST_FLAGS := -c release -Xswiftc -enable-testing
# The toolchain's documentation compiler, which lies beside the real swift.
DOCC ?= $(or $(shell command -v docc),$(dir $(realpath $(shell command -v $(SWIFT))))docc)
LIBRARIES := Tensors Configuration NeuralNetworks Diffusion Files ONNX Media RobotData CaptionedMedia Programs \
  Environments PythonEnvironments ReinforcementLearning DiffusionPolicies PolicyServing GenerativeModels \
  TextToImage TextToVideo Rewards InitialNoise ImageFineTuning MessagePassing Runs Training Reports
PEERS := .build/peers
# From MuJoCo 3.5 on, contacts are solved otherwise than in the version that Attune links (docs/fidelity.md).
PEER_PACKAGES := torch numpy einops gymnasium[mujoco] 'mujoco<3.4' diffusers transformers

.PHONY: all help packages build install test test-openblas test-fast test-debug test-sanitized test-threads coverage demo bench \
  bench-peers bench-dppo bench-compare format lint docs protobuf configuration-reference clean

all: build

help:
	@echo "make              install missing Debian packages where possible, and build"
	@echo "make install PREFIX=DIR  the binary, shell completions and man pages, in /usr/local unless given"
	@echo "make test         run all tests (optimized); TARGET=NAME those of a target, or whose name has it"
	@echo "make test-openblas  after make test: the numeric tests with OpenBLAS in place of Attune's products"
	@echo "make test-fast    formulas, layers and readers only; make test-debug: without optimization"
	@echo "make test-sanitized  run the file readers' tests under the address sanitizer"
	@echo "make test-threads run the tests of threads under the thread sanitizer"
	@echo "make coverage     the fraction of lines that tests run, by target"
	@echo "make demo         both main jobs on bundled checkpoints, and a page about them"
	@echo "make bench        time Attune's kernels; make bench-peers: side by side with PyTorch;"
	@echo "                  BENCH_FLAGS='--json FILE' keeps the medians, make bench-compare OLD= NEW= compares"
	@echo "make bench-dppo DPPO_CHECKOUT=DIR  a DPPO iteration, side by side with the reference in DIR"
	@echo "make format lint  rewrite, or check, the sources with swift-format"
	@echo "make protobuf     make the Swift code of TensorBoard's events and of ONNX from .proto files anew"
	@echo "make configuration-reference  make docs/configuration.md from the code anew"
	@echo "make docs         build the API documentation in .build/docs; warnings are errors"

# Installs what is missing as root or by sudo without a password; otherwise prints the one command.
packages:
	@missing=; for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then run=; elif sudo -n true 2>/dev/null; then run=sudo; \
	  else echo "Missing packages. Run: sudo apt-get install$$missing" >&2; exit 1; fi; \
	  echo "Installing$$missing" && $$run apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends$$missing >/dev/null; \
	fi

build: packages
	$(SWIFT) build -c release --product attune

# PREFIX is where to, DESTDIR a folder to stage in, as GNU's makefiles have them.
PREFIX ?= /usr/local
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -m 755 .build/release/attune $(DESTDIR)$(PREFIX)/bin/attune
	.build/release/attune completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/attune
	.build/release/attune completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_attune
	.build/release/attune completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/attune.fish
	@if $(SWIFT) package --allow-writing-to-package-directory generate-manual --multi-page >/dev/null; then \
	  install -m 644 .build/plugins/GenerateManual/outputs/attune/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/; \
	else echo "No man pages: swift package generate-manual failed; attune --help states the same" >&2; fi

# TARGET=DiffusionTests runs one target, TARGET=gae all tests with that in their name.
test: packages
	$(SWIFT) build --build-tests $(TEST_FLAGS)
	$(SWIFT) test --skip-build $(TEST_FLAGS) $(if $(TARGET),--filter '$(TARGET)')

# Numeric tests with OpenBLAS in place of Attune's own products: an implementation that shares no line with them. Tests
# of bits that it does not promise are skipped, each with its reason. Builds nothing: after make test.
test-openblas:
	ATTUNE_MATMUL=openblas $(SWIFT) test --skip-build $(TEST_FLAGS) --filter '^(TensorsTests|NeuralNetworksTests)\.'

# What takes long is left out: whole commands, faults, trainings and fuzzing.
SLOW_TESTS := CommandTests ReportsTests FuzzTests RewardsTests InitialNoiseTests ImageFineTuningTests
test-fast: packages
	$(SWIFT) build --build-tests $(TEST_FLAGS)
	$(SWIFT) test --skip-build $(TEST_FLAGS) $(SLOW_TESTS:%=--skip %)

coverage: packages
	$(SWIFT) test --scratch-path .build-coverage --enable-code-coverage $(TEST_FLAGS)
	@$(PYTHON) Tests/coverage.py \
	  "$$($(SWIFT) test --scratch-path .build-coverage $(TEST_FLAGS) --show-codecov-path)"

test-debug: packages
	$(SWIFT) test

test-sanitized: packages
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --scratch-path .build-sanitized --sanitize=address --filter FilesTests

# Locks that the sanitizer knows (THREAD_SANITIZER), and allocations that may fail as they do without it.
THREAD_FLAGS := --scratch-path .build-threads --sanitize=thread -Xcc -O3 -Xswiftc -DTHREAD_SANITIZER
test-threads: packages
	$(SWIFT) build --build-tests $(THREAD_FLAGS)
	TSAN_OPTIONS=allocator_may_return_null=1 $(SWIFT) test --skip-build $(THREAD_FLAGS) \
	  --filter 'WorkerPool|BufferPool|Sharded|VectorEnvironment|TensorsTests'

demo: build
	samples/demo/run.sh

bench: packages
	$(SWIFT) build -c release --product Benchmarks
	.build/release/Benchmarks $(BENCH_FLAGS)

$(PEERS)/ready: Makefile
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install -q $(PEER_PACKAGES)
	touch $@

bench-peers: packages $(PEERS)/ready
	$(SWIFT) build -c release --product Benchmarks
	$(PEERS)/bin/python Sources/Benchmarks/Peers/compare.py .build/release/Benchmarks $(PEERS)/bin/python $(BENCH_FLAGS)

# OLD and NEW are files that BENCH_FLAGS="--json FILE" of make bench or bench-peers wrote.
bench-compare: packages
	@test -f "$(OLD)" && test -f "$(NEW)" || { echo "Set OLD and NEW to two JSON files of make bench" >&2; exit 1; }
	$(SWIFT) build -c release --product Benchmarks
	@.build/release/Benchmarks compare "$(OLD)" "$(NEW)"

# DPPO_CHECKOUT is a checkout of github.com/irom-princeton/dppo; BENCH_FLAGS is for instance --decisions 50.
bench-dppo: packages $(PEERS)/ready
	@test -d "$(DPPO_CHECKOUT)/model/diffusion" || \
	  { echo "Set DPPO_CHECKOUT to a checkout of github.com/irom-princeton/dppo" >&2; exit 1; }
	$(SWIFT) build -c release --product Benchmarks
	$(PEERS)/bin/python Sources/Benchmarks/Peers/compare_iteration.py .build/release/Benchmarks \
	  $(PEERS)/bin/python $(abspath $(DPPO_CHECKOUT)) $(BENCH_FLAGS)

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

configuration-reference: packages
	$(SWIFT) build --build-tests $(TEST_FLAGS)
	ATTUNE_WRITE_REFERENCE=1 $(SWIFT) test --skip-build $(TEST_FLAGS) --filter ConfigurationReferenceTests

# One documentation archive for each library target, in .build/docs, from its comments and its catalogue.
docs: packages
	@rm -rf .build/docs && mkdir -p .build/docs/graphs
	$(SWIFT) build --scratch-path .build/docs/build -Xswiftc -emit-symbol-graph \
	  -Xswiftc -emit-symbol-graph-dir -Xswiftc $(CURDIR)/.build/docs/graphs
	@for module in $(LIBRARIES); do \
	  mkdir -p .build/docs/graphs/$$module && \
	  mv .build/docs/graphs/$$module.symbols.json .build/docs/graphs/$$module@*.symbols.json \
	    .build/docs/graphs/$$module/ 2>/dev/null; \
	  echo "Documenting $$module" && \
	  $(DOCC) convert Sources/$$module/$$module.docc --warnings-as-errors --fallback-display-name $$module \
	    --fallback-bundle-identifier attune.$$module \
	    --additional-symbol-graph-dir .build/docs/graphs/$$module \
	    --output-path .build/docs/$$module.doccarchive || exit 1; \
	done

# Only after a .proto file changed: wants protoc (protobuf-compiler) and swift-protobuf's plugin.
PROTOBUF := Sources/Runs/TensorBoard/event.proto Sources/ONNX/Protobuf/onnx.proto
protobuf:
	$(SWIFT) build -c release --product protoc-gen-swift --package-path .build/checkouts/swift-protobuf \
	  --scratch-path .build/protoc-gen-swift
	@for file in $(PROTOBUF); do \
	  protoc --plugin=.build/protoc-gen-swift/release/protoc-gen-swift --swift_opt=Visibility=Internal \
	    --swift_out=$$(dirname $$file) --proto_path=$$(dirname $$file) $$(basename $$file) || exit 1; \
	done

clean:
	rm -rf .build .build-sanitized .build-threads .build-coverage
