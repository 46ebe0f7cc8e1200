"""How accurate quantised networks are, beside the float model and other tools."""
