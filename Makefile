# The two commands of the README are `make demo` and `make test`; everything else is for those who work on lvsd.
.PHONY: help demo test test-host test-lab test-lab-1 test-host-and-lab-2 bench lab lint fmt venv lab-packages clean

PYTHON := .venv/bin/python

help:
	@echo 'make demo   the mail cluster of the guide, on real daemons, in a real kernel: narrated and checked'
	@echo 'make test   every test, in this checkout and in the lab'
	@echo 'make lab    a shell in the lab: lb1 lvsctl status, client curl http://1.1.1.12/'
	@echo 'make bench  the measurements, beside the programs lvsd replaces'
	@echo 'make lint   format check, ruff, mypy, import contracts'
	@echo 'make fmt    format the code'

venv: .venv/.installed

# Debian's own interpreter: a worker that has dropped its privileges must be able to read it.
.venv/.installed: pyproject.toml
	@test -x /usr/bin/python3 || { echo 'no /usr/bin/python3: apt-get install python3 python3-venv' >&2; exit 1; }
	@/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || sh tests/lab/install
	/usr/bin/python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

lab-packages:
	@sh tests/lab/install

demo: lab-packages venv
	$(PYTHON) -m tests.demo

# Two cores: on one a lab with its share of the tests, on the other the checkout's own tests and then a second lab.
test: lab-packages venv
	@$(MAKE) --no-print-directory -j2 test-lab-1 test-host-and-lab-2

test-lab-1:
	$(PYTHON) -m tests.lab test -q --share 1/2

test-host-and-lab-2: test-host
	$(PYTHON) -m tests.lab test -q --share 2/2

test-host: lab-packages venv
	$(PYTHON) -m pytest --ignore=tests/lab -q

test-lab: lab-packages venv
	$(PYTHON) -m tests.lab test -q

bench: lab-packages venv
	$(PYTHON) -m bench

lab: lab-packages venv
	@$(PYTHON) -m tests.lab shell

lint: venv
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

fmt: venv
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
