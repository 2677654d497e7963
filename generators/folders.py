"""Names inside the folder of a build."""

WORK, JOURNAL, MARKER, SHEETS = ".work", "journal.jsonl", "plan.json", "sheets"
#: The sheet that is written last.
DATA_SHEET = "datasheet.md"
