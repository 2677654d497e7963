"""How much a detector gains from a planted shortcut, and what it loses when the shortcut is taken away."""
