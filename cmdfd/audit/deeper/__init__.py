"""What an audit asks beyond single cues: all of them together, one given another, splits, controls, subsets, origins."""
