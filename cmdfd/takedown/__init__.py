"""Takes a person or a recording out of a set, with everything that was derived from them."""
