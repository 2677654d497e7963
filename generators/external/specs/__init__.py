"""Specs of known generators, one TOML file each."""
