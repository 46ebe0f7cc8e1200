"""Executors and code generators: the interpreter, C, packages, and the runners that compile and run C."""
