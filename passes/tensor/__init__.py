"""The passes over the tensor level, one module each."""
