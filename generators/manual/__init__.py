"""Edits made by hand in any editor: checked against their originals, aligned, masked and labelled like other fakes."""
