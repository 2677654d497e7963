"""What a person looks at after a build: a contact sheet of real clips above their fakes, and a data sheet of counts.

A set with platforms also gets a platform sheet: clips as each of them leaves them. All lie in `sheets/` of the set,
hold no time and no host, and show nothing of splits whose labels are withheld.
"""

from generators.sheets.contact import ContactSheet, write_contact_sheet
from generators.sheets.counting import DataSheet
from generators.sheets.datasheet import write_data_sheet

__all__ = ["SHEETS", "ContactSheet", "DataSheet", "write_contact_sheet", "write_data_sheet"]

#: Folder of a set that they go to.
SHEETS = "sheets"
