"""Judges detectors."""
