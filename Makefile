# `make demo` and `make test` do all their own set-up on a fresh Debian with Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := 2.13.0
# Where torch's CPU build is looked for beside the indexes that pip is set to; empty: nowhere else.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Real peers: a PACS for the demo; senders, validators and a browser for the tests.
DEMO_PEERS := orthanc
TEST_PEERS := orthanc orthanc-dicomweb dcmtk dicom3tools libpixelmed-java default-jdk-headless \
  openjph-tools openssl chromium iproute2 gcc libc6-dev
OHIF := 3.13.2
OHIF_SHA256 := b189d3963bfc58e9394a9db8c7be75d07beb029ec211dbb126d47b62969dd3f1
ROOT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

.PHONY: demo test bench bench-receiving accuracy evaluate torture chaos soak hostile cli-docs licences viewer \
  lint types unit setup setup-test demo-peers test-peers mine clean

demo: setup demo-peers  ## a synthetic chest CT through the whole node, into a PACS
	$(BIN)/vfnode demo

test: setup-test test-peers viewer lint types unit  ## everything CI runs

# -rs: what is skipped is named at the end with its reason.
unit: setup-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -rs

lint: setup-test
	$(BIN)/ruff check vfnode tests
	$(BIN)/ruff format --check vfnode tests

types: setup-test
	$(BIN)/mypy

CT ?= ../shared/data/lidc-idri-0314

bench: setup-test  ## wall, CPU and memory of each stage on one CT: make bench CT=folder
	$(BIN)/python -m tests.benchmarks.analyze $(CT)
	$(BIN)/python -m tests.benchmarks.results

bench-receiving: setup-test test-peers  ## how fast the port takes images, beside storescp and Orthanc
	$(BIN)/python -m tests.benchmarks.receiving

KILLS ?= 200

torture: setup-test test-peers  ## kill -9 at random instants; the seed is printed
	$(BIN)/python -m tests.end_to_end.torture --kills $(KILLS)

soak: setup-test test-peers  ## 300 studies from four senders at once, through the networks
	$(BIN)/python -m tests.end_to_end.soak

hostile: setup-test  ## hostile input, 10,000 cases each and 5,000 connections
	VFNODE_HOSTILE=20 OMP_NUM_THREADS=1 $(BIN)/pytest tests/node/receiving/test_hostile.py
	VFNODE_HOSTILE=17 OMP_NUM_THREADS=1 $(BIN)/pytest tests/end_to_end/test_any_ct.py

B := tests/benchmarks

evaluate: setup-test  ## the evaluation page: read, deformed, crushed, averaged, known and synthetic CT
	$(BIN)/vfnode evaluate reference:$(B)/reference_cases.json reference:$(B)/chest_cases.json \
	  known:$(B)/known_cases.json thin:$(B)/thin_cases.json crush:$(B)/reference_cases.json \
	  semi-real:$(B)/reference_cases.json synthetic:20 --rounds 12 --out evaluation

cli-docs: setup-test  ## docs/cli.md, from the program
	$(BIN)/python -m tests.cli.cli_docs

licences: setup-test  ## the list of packages in NOTICE, from what is installed
	$(BIN)/python -m tests.docs.licences

accuracy: setup-test  ## the README's table: real CT against reference readings
	$(BIN)/python -m tests.benchmarks.accuracy

setup: $(VENV)/.installed  ## vfnode with pinned packages and nothing for tests

setup-test: $(VENV)/.test-installed  ## the same with every extra and what the tests need

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt | mine
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { [ -n "$(ROOT)" ] && setup/debian-packages python3-venv; } \
	  || { echo "python3-venv is missing: as root, apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	setup/torch $(BIN)/pip $(TORCH) $(TORCH_INDEX)
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(BIN)/pip install -q -c constraints.txt -e .[test]
	touch $@

# What an earlier run as another user left cannot be written to, and pip would say so in 40 lines.
mine:
	@for path in . $(VENV) vfnode.egg-info vfnode-demo .ohif; do \
	  [ ! -e $$path ] || [ -w $$path ] || { \
	    echo "$$path belongs to $$(stat -c %U $$path), perhaps from an earlier run:" \
	      "remove it as that user, or work in a copy of your own"; exit 1; }; \
	done

# Without root the peers are left to the administrator: the demo then uses the product's own
# storage SCP, and the tests that need them skip.
demo-peers:
ifneq ($(ROOT),)
	@setup/debian-packages $(DEMO_PEERS)
else
	@command -v Orthanc >/dev/null || [ -x /usr/sbin/Orthanc ] || echo "Orthanc is not installed:" \
	  "the demo sends to vfnode's own storage SCP. For a real PACS, once and as root:" \
	  "setup/debian-packages $(DEMO_PEERS)"
endif

test-peers:
ifneq ($(ROOT),)
	@setup/debian-packages $(TEST_PEERS)
else
	@echo "tests whose peers are not installed will skip; once and as root:" \
	  "setup/debian-packages $(TEST_PEERS)"
endif

# A real viewer, prebuilt, from the npm registry; without npm its tests skip.
viewer:
ifneq ($(shell command -v npm),)
viewer: .ohif/$(OHIF)
endif

.ohif/$(OHIF):
	rm -rf .ohif && mkdir .ohif && cd .ohif && npm pack --silent @ohif/app@$(OHIF) >/dev/null
	echo "$(OHIF_SHA256)  .ohif/ohif-app-$(OHIF).tgz" | sha256sum --check --quiet
	tar xzf .ohif/ohif-app-$(OHIF).tgz -C .ohif --strip-components=2 --exclude='*.map' \
	  --exclude=package/dist/ort --exclude=package/dist/dicom-microscopy-viewer package/dist
	rm .ohif/*.tgz && touch $@

clean:
	rm -rf $(VENV) .ohif build *.egg-info
