"""What an audit asks beyond single cues: all together, one given another, splits, controls, subsets, origins."""
