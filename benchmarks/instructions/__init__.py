"""Instructions, code and constants of networks on simulated machines, with the C of others beside them.

    python -m benchmarks.instructions [CASE ...] [--on MACHINE] [--flags=-Os] [--layers] [--markdown | --json]
    python -m benchmarks.instructions --sweep

Each case is compiled with default options for a chip that has the machine's instruction set, run once, where all
results must be the interpreter's (integers bit for bit), and counted: exactly, the same in every run. Limits hold for
the first of the flags, which are -O2 and -Os unless `--flags` says otherwise, and where no other machine is asked for.
`--on` counts the cases of one machine, or those that are named on another one than theirs. Cases of ESP32 and ESP32-S3
have their least arena, and stand beside the C without MAC16 and vectors, which is compiled and run, too.

`--esp-nn` names a folder with ESP-NN's sources, `--onnx2c` the program onnx2c (or ESP_NN_SOURCE and ONNX2C do): what
they make of the same networks stands beside, and a note where they are missing. `--sweep` counts MobileNetV1 in int8
at widths from 0.25 to 1.0 and resolutions from 96 to 224.

Where the tools of a machine are missing, its cases are left out, and table and a note say so, unless they are named.

Exit status 1 when a limit is not kept, 2 when a result differs or something is missing.
"""
