"""AUC, component bootstrap, permutation and max-T as pure functions."""
