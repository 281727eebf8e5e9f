"""``python -m benchmarks list`` and ``python -m benchmarks run NAME [--quick] [--json]``."""

from benchmarks.front_door import main

raise SystemExit(main())
