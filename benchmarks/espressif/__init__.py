"""Single layers of int8: ESP-NN side by side with tinyc, in one simulator, on the cores of ESP32 and ESP32-S3.

    python -m benchmarks.espressif [LAYER ...] [--on MACHINE] [--esp-nn FOLDER] [--flags=-Os] [--markdown | --json]

Each layer is a small network, compiled twice: behind a pooling of a larger image, layer by layer, so that there is free
memory while it runs, as in the midst of a network; and alone in its least arena. Counted is the layer, by the counter
that `tinyc bench` has for each: exactly, the same in every run. The results of the network must be the interpreter's,
bit for bit; where ESP-NN is not called, or computes something else, the row says so and has no number.

`--esp-nn`, or ESP_NN_SOURCE, names a folder with ESP-NN's sources: its C and, on esp32s3, its assembly are compiled for
the machine, and called with the operands and the scratch memory at multiples of 16 bytes, as it asks.

Exit status 1 when a limit is not kept, 2 when a result differs or something is missing.
"""
