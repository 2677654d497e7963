"""Compares detectors on boards recomputed from predictions."""
