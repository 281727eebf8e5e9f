"""``python -m residua``: the same as the ``residua`` command."""

from residua.cli.main import main

if __name__ == "__main__":
    main()
