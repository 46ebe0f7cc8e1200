"""What a compilation amounts to, as data."""
