# Two commands do everything: `make demo`, `make test`. The logic is in bootstrap.py (Windows: python bootstrap.py demo).
# More for the command behind it: make test ARGS="-k schedule"

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

.PHONY: demo test interop check
demo test interop check:
	@$(if $(PYTHON),,echo "make: residua needs Python 3.11 or newer; found none on the PATH (set PYTHON=/path/to/python)" >&2; exit 1;) \
	"$(PYTHON)" bootstrap.py $@ $(ARGS)
