"""Measure everything: `python -m benchmarks` is `python -m benchmarks.delivery`."""

import sys

from benchmarks.delivery import main

if __name__ == "__main__":
    sys.exit(main())
