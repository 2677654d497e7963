"""One runner for generators that a user has installed, and one TOML spec for each."""
