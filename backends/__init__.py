"""Executors and code generators: the interpreter, C, the ESP32 packages, and the runners that compile and run C."""
