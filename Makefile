# `make demo` and `make test` do all their own set-up on a fresh Debian with Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
DEBIAN := dcmtk orthanc orthanc-dicomweb dicom3tools libpixelmed-java openssl chromium iproute2 gcc libc6-dev
OHIF := 3.13.2
OHIF_SHA256 := b189d3963bfc58e9394a9db8c7be75d07beb029ec211dbb126d47b62969dd3f1
ROOT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

.PHONY: demo test bench bench-receiving accuracy evaluate torture soak hostile cli-docs viewer lint types unit setup debian clean

demo: setup debian  ## a synthetic chest CT through the whole node, into a PACS
	$(BIN)/vfnode demo

test: setup debian viewer lint types unit  ## everything CI runs

unit: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

lint: setup
	$(BIN)/ruff check vfnode tests
	$(BIN)/ruff format --check vfnode tests

types: setup
	$(BIN)/mypy

CT ?= ../shared/data/lidc-idri-0314

bench: setup  ## wall, CPU and memory of each stage on one CT: make bench CT=folder
	$(BIN)/python -m tests.benchmarks.analyze $(CT)
	$(BIN)/python -m tests.benchmarks.results

bench-receiving: setup debian  ## how fast the port takes images, beside storescp and Orthanc
	$(BIN)/python -m tests.benchmarks.receiving

KILLS ?= 200

torture: setup debian  ## kill -9 at random instants; the seed is printed
	$(BIN)/python -m tests.end_to_end.torture --kills $(KILLS)

soak: setup debian  ## 300 studies from four senders at once, through the networks
	$(BIN)/python -m tests.end_to_end.soak

hostile: setup  ## hostile input, 10,000 cases each and 5,000 connections
	VFNODE_HOSTILE=20 OMP_NUM_THREADS=1 $(BIN)/pytest tests/node/receiving/test_hostile.py

B := tests/benchmarks

evaluate: setup  ## the evaluation page: read, deformed, crushed, averaged, known and synthetic CT
	$(BIN)/vfnode evaluate reference:$(B)/reference_cases.json reference:$(B)/chest_cases.json \
	  known:$(B)/known_cases.json thin:$(B)/thin_cases.json crush:$(B)/reference_cases.json \
	  semi-real:$(B)/reference_cases.json synthetic:20 --rounds 12 --out evaluation

cli-docs: setup  ## docs/cli.md, from the program
	$(BIN)/python -m tests.cli.cli_docs

accuracy: setup  ## the README's table: real CT against reference readings
	$(BIN)/python -m tests.benchmarks.accuracy

setup: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || { [ -n "$(ROOT)" ] && apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install -q -c constraints.txt $(TORCH)
	$(BIN)/pip install -q -c constraints.txt -e .[test]
	touch $@

# Real peers (a PACS, senders, validators). Without root they are left to the administrator:
# the demo then uses the product's own storage SCP, and the tests that need them skip.
debian:
ifneq ($(ROOT),)
	@dpkg -s $(DEBIAN) >/dev/null 2>&1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(DEBIAN); } >/dev/null
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
