"""tinyc: a compiler from ONNX models to C for ESP32-class microcontrollers."""
