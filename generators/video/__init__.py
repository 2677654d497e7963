"""Generators that change the picture."""
