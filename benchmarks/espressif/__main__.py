"""`python -m benchmarks.espressif`."""

import sys

from benchmarks.espressif.command import main

if __name__ == "__main__":
    sys.exit(main())
