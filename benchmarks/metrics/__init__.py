"""Detection metrics with their convention in the name."""
