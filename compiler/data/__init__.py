"""Inputs of models: arrays and files that users have, calibration data, and seeded inputs to verify with."""
