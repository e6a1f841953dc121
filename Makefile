# make book     install once, build both editions, print the path to open
# make test     the whole proof: the three below, one after the other
# make test-code       style, and what the package, the tools and the sources of the book promise
# make test-pages      the strict build, and the built book in a browser
# make test-notebooks  every notebook, run again and compared with what it shows
# make test-oldest, test-newest  the package with the oldest and the newest versions of others
# make mutations  break the package in more than 600 ways, and see whether the tests notice: hours
# make serve    serve the built book on this machine, compressed as web hosts do
# make refresh  run the Japanese notebooks again and sync the English edition
# make model    train the model that ships with the book, about 60 minutes on 2 cores
# make ablations  run the trainings that ablations.csv lacks, about 30 minutes on 2 cores
# make applications  run the experiments that applications.csv lacks, about 110 minutes on 2 cores
# make shapes  run the trainings that block_shapes.csv lacks, about 15 minutes on 2 cores
# make ladder  run the trainings that ladder.csv lacks, about 40 minutes on 2 cores
# make sweep    run what sweep.csv lacks, predict, then the largest, about 95 minutes on 2 cores

PYTHON ?= python3
PORT ?= 8000

# What is installed is told by its content, not its time: nothing is installed again until a pin
# changes. A folder that was moved, or whose Python is gone, gets a new environment, for programs
# in it hold the old path.
PLACE := .venv/place-$(shell pwd | cksum | tr -d " ")
PROJECT = sed "/^.tool.ruff/,\$$d" pyproject.toml
BOOK := .venv/book-$(shell { cat requirements.txt constraints.txt; $(PROJECT); } | cksum | tr -d " ")
TEST := .venv/test-$(shell cat tests/requirements.txt | cksum | tr -d " ")
$(shell .venv/bin/python -c "" 2>/dev/null || rm -f .venv/place-*)

# Two processes of one thread each: threads of one would wait for those of the other.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest --numprocesses 2 --dist loadfile \
	--no-loadscope-reorder -p tests.helpers.order

.PHONY: book test test-code test-pages test-notebooks test-oldest test-newest mutations
.PHONY: serve refresh model ablations applications shapes ladder sweep .venv/book .venv/test

book: .venv/book
	.venv/bin/python tools/build.py

test: test-code test-pages test-notebooks

test-code: .venv/test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PYTEST) tests -m "not page"

test-pages: .venv/test
	.venv/bin/python tools/build.py
	$(PYTEST) tests -m page

test-notebooks: .venv/test
	$(PYTEST) -p tests.helpers.elsewhere chapters/ja

# The package alone, with other versions than the book's, in an environment of their own.
test-oldest test-newest: test-%:
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip install -r tests/$*.txt
	$(subst .venv,.venv-$*,$(PYTEST)) tests -m "not page" --ignore tests/book --ignore tests/house \
		--ignore tests/figures/test_charts.py --ignore tests/figures/test_words.py

mutations: .venv/test
	.venv/bin/python -m tools.mutate --processes 2

serve: book
	.venv/bin/python tools/serve.py $(PORT)

refresh: .venv/book
	.venv/bin/python tools/refresh.py

model: .venv/book
	.venv/bin/python -m gpt_helpers.training --preset stdlib --folder _build/stdlib --threads 2
	.venv/bin/python tools/ship.py _build/stdlib

ablations: .venv/book
	.venv/bin/python -m gpt_helpers.experiments.ablations

applications: .venv/book
	.venv/bin/python -m gpt_helpers.experiments.applications

shapes: .venv/book
	.venv/bin/python -m gpt_helpers.experiments.block_shapes

ladder: .venv/book
	.venv/bin/python -m gpt_helpers.experiments.ladder

sweep: .venv/book
	.venv/bin/python -m gpt_helpers.experiments.sweep --folder _build/sweep
	test -e gpt_helpers/experiments/results/prediction.csv || .venv/bin/python -m gpt_helpers.experiments.prediction
	.venv/bin/python -m gpt_helpers.experiments.sweep --stage largest --folder _build/sweep
	test -e gpt_helpers/experiments/results/copying.csv || .venv/bin/python -m gpt_helpers.experiments.prediction --copying _build/sweep

.venv/book: $(BOOK)
.venv/test: $(TEST)

$(PLACE):
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python lacks venv: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	touch $@

$(BOOK): $(PLACE)
	.venv/bin/python -m pip install -r requirements.txt
	rm -f .venv/book-* && touch $@

$(TEST): $(BOOK)
	.venv/bin/python -m pip install -r tests/requirements.txt
	rm -f .venv/test-* && touch $@
