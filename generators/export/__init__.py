"""Sets in the form of others."""
