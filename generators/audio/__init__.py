"""Generators that change the sound."""
