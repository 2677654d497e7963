"""Emulated social platforms: what a platform does to an uploaded clip, one YAML profile per platform."""
