"""Where pristine clips come from."""
