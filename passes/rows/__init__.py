"""From tensors to rows, and the passes over the row level, one module each."""
