"""The gate's form: what whoever asks for access agrees to. The gate itself is a setting of the repository."""

from __future__ import annotations

HEADING = "Access for research on the detection of forged media"
#: What follows "I will" in the form, and "They will" elsewhere.
TERMS = (
    "use this set for research on detection only",
    "not try to find out who is shown or heard",
    "not pass the clips on",
    "not train generators on them",
    "delete clips that are withdrawn",
)
#: Name -> type, as the Hub knows them (text, country, checkbox). The address is for notices of withdrawn clips.
FIELDS = {
    "Name": "text",
    "Institution": "text",
    "Country": "country",
    "Address for notices of withdrawn clips": "text",
    "Intended use": "text",
    "I agree to the terms above": "checkbox",
}


def prompt() -> str:
    """The terms as one paragraph in the first person."""
    return f"I will {', '.join(TERMS[:-1])}, and {TERMS[-1]}."
