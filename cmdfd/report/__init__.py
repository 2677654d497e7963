"""Templates, plots and tables shared by every HTML page."""
