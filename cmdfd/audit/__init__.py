"""Spurious cues that separate real from fake."""
