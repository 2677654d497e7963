"""Procedural talking heads: speech by espeak-ng, lips from phonemes, ground-truth face points. No download needed."""
