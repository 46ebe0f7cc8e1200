"""`python -m benchmarks.instructions`."""

import sys

from benchmarks.instructions.command import main

if __name__ == "__main__":
    sys.exit(main())
