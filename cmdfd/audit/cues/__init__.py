"""One file for each family of cues: `CUES`, and a `measure` from what the file or the take gives."""
