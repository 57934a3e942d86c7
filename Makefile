# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m course_utils
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SEEDS ?= 0..4
NB ?=
DIR ?= submissions
LOG ?=
export NB LOG DIR SEEDS # the shell reads them, so that names with spaces stay whole

.DEFAULT_GOAL := help
.PHONY: help lab test test-browser lint format typecheck notebooks preview pull new run leaderboard site slides drawings tune claims twins ladder scaling bench doctor clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12 ...") if not (3, 11) <= sys.version_info[:2] <= (3, 13) else None'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch -c constraints.txt
	$(PIP) -e '.[real]' -c constraints.txt
	@touch $@

$(VENV)/.equipped: $(VENV)/.installed # what builds and tests the course; who reads it needs none of it
	$(PIP) -e '.[test,real]' -c constraints.txt
	@touch $@

lab: $(VENV)/.installed ## set up, generate the default log, open JupyterLab at the first notebook
	$(RUN) lab

lint: $(VENV)/.equipped ## ruff and the type checker
	$(RUN) lint

format: $(VENV)/.equipped ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(VENV)/.equipped ## the type checker alone
	$(RUN) typecheck

test: $(VENV)/.equipped ## lint, unit tests, reference checks, and every notebook from top to bottom
	$(RUN) test $(if $(MINUTES),--minutes $(MINUTES))

test-browser: $(VENV)/.equipped ## move every widget in a live JupyterLab; needs Chromium
	$(BIN)/python -m pytest -q -s $(if $(WORKERS),-n $(WORKERS)) tests/browser

notebooks: $(VENV)/.equipped ## build the notebooks whose sources changed, and the README's tables
	$(RUN) publish $(NB)

preview: $(VENV)/.equipped ## execute a notebook on a tiny log and open its page: make preview NB=07_dcn_v2
	$(RUN) preview "$$NB"

pull: $(VENV)/.equipped ## carry edits of a built notebook into its source: make pull NB=01_introduction
	$(RUN) pull "$$NB"

new: $(VENV)/.equipped ## start a notebook: source, checks, planted wrong answers: make new NB=03_youtube_dnn
	$(RUN) new "$$NB"

run: $(VENV)/.equipped ## execute one notebook headless: make run NB=18_seminar_ranking LOG=movielens
	$(RUN) run "$$NB" $(if $(LOG),--log "$$LOG")

leaderboard: $(VENV)/.installed ## rank a folder of submissions on a hidden world: make leaderboard DIR=submissions
	$(RUN) leaderboard "$$DIR"

drawings: $(VENV)/.equipped ## draw the models
	$(RUN) drawings

tune: $(VENV)/.equipped ## run the trials of a notebook's models: make tune NB=07_dcn_v2
	$(RUN) tune "$$NB" $(if $(LOG),--log "$$LOG")

claims: $(VENV)/.equipped ## run notebooks with several seeds: make claims SEEDS=0..4 NB=07_dcn_v2
	$(RUN) claims --seeds $(SEEDS) $(if $(NB),--names $(NB))

twins: $(VENV)/.equipped ## run notebooks without the effects they rest on, and on real logs: make twins NB=03_youtube_dnn
	$(RUN) twins $(NB)

ladder: $(VENV)/.equipped ## train every ranker of the track on sim and movielens, for the table in README
	$(RUN) ladder

scaling: $(VENV)/.equipped ## train the larger points of notebook 19's curves: two hours
	$(RUN) scaling

bench: $(VENV)/.equipped ## speed and memory, side by side with what you would use instead
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file; done

site: $(VENV)/.equipped ## the built notebooks as a static site in build/site
	$(RUN) site

slides: $(VENV)/.equipped ## a built notebook as a deck of slides in build/slides: make slides NB=07_dcn_v2
	$(RUN) slides "$$NB"

doctor: $(VENV)/.installed ## is this machine ready?
	$(RUN) doctor

clean: ## remove the environment and built copies; downloaded and generated logs stay
	rm -rf $(VENV) build
