"""`python -m benchmarks.networks`."""

from benchmarks.networks.listing import main

if __name__ == "__main__":
    main()
