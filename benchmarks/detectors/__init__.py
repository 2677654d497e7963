"""One package per detection method."""
