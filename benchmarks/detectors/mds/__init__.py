"""MDS, the modality dissonance score: "Not made for each other", Chugh et al., ACM MM 2020, arXiv 2005.14405."""
