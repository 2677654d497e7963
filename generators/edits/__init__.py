"""Partial fakes: edit lists over words, and the splices that carry them out."""
