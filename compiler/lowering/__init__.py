"""From an imported module to a row program, and what is said of one: budgets, cores, kernels, fit, accuracy."""
