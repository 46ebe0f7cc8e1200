"""Benchmarks: the networks that figures are quoted for, and one command for each figure."""
