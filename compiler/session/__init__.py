"""What the commands do, as a library: compile, verify, quantise, measure, rewrite."""
