"""What a scene may say and how it may be coloured: fixed pools, so that no text or colour depends on the class.

Names are an initial and a surname and belong to nobody in particular; headlines say nothing about the real world.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]

NAMES = (
    "A. Lindqvist", "M. Okoro", "J. Tanaka", "R. Castellan", "E. Novak", "S. Haddad", "T. Mbeki-Laurent", "K. Ferreira",
    "L. Brandt", "P. Szabo", "N. Iyer", "C. O'Dowd", "H. Virtanen", "D. Achterberg", "I. Marchetti", "V. Popescu",
    "B. Quispe", "F. Aydin", "G. Solberg", "O. Mensah",
)  # fmt: skip
ROLES = (
    "City planner", "Transport analyst", "Harbour authority", "School director", "Water engineer", "Regional reporter",
    "Economist", "Museum curator", "Weather desk", "Botanist", "Union speaker", "Housing researcher", "Librarian",
    "Sports editor", "Energy adviser", "Bridge engineer",
)  # fmt: skip
PROGRAMMES = (
    "THE OPEN HOUR", "DAYLINE", "ROUND TABLE", "CITY REPORT", "MIDWEEK", "FIRST VIEW", "PLAIN WORDS", "THE LATE DESK",
)  # fmt: skip
KICKERS = ("TOP STORY", "UPDATE", "IN FOCUS", "TONIGHT", "REGION", "CITY")
HEADLINES = (
    "Council votes on new tram line", "Harbour bridge to open in spring", "Schools plan longer summer break",
    "Old market hall gets a new roof", "Night trains return to the coast", "Rain expected through the weekend",
    "Library keeps its doors open longer", "Rents level off after three years", "Wind park connects to the grid",
    "Ferry timetable changes in May", "River path closed for repairs", "Museum shows lost city maps",
)  # fmt: skip
TICKER = (
    "Coastal road reopens after repairs", "Farmers report an early harvest", "Airport adds two morning flights",
    "Swimming hall closed until Friday", "Record number of visitors at the fair", "Bus line 12 takes a new route",
    "Local team draws one all at home", "Water level stays below average", "City archive goes online",
    "New trees planted along the ring road", "Town hall clock runs again", "Volunteers wanted for the spring clean",
)  # fmt: skip
TITLES = (
    "two views on the tram", "they do not agree", "part 2 of the talk", "what would you do?", "the full answer",
    "nobody asked this before", "short and honest", "from last night's show",
)  # fmt: skip
#: Running captions; each stands for a while and then gives way to the next.
CAPTIONS = (
    "so the question is when we start", "and that takes a little time", "people notice it every morning",
    "we looked at the numbers again", "it was not planned like that", "there is a simple reason for it",
    "I would put it another way", "and nobody has to pay more", "that is where we disagree",
    "let me give you an example", "it worked well in other places", "we hear this quite often",
    "the first part is nearly done", "and then we will see", "you have to ask them yourself",
    "this is not the whole story",
)  # fmt: skip
PLACES = ("Harbour City", "Northgate", "Eastfield", "Old Town", "Lakeside", "Westbridge", "Hillcrest", "Riverton")
MEETINGS = ("Weekly planning", "Project review", "Team sync", "Budget round", "Open questions", "Monday call")
CHAT = (
    "Can everybody hear me?", "Yes, loud and clear", "Slides are in the folder", "Could you say that again?",
    "I agree with the second point", "Let us take this one offline", "I have to leave at half past",
    "Thanks, that helps", "Who writes the minutes?", "Number four is still open", "Good point",
    "Can we move the date?",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one programme.

    Args:
        deep: Darkest of the background.
        mid: Middle of the background.
        glow: Lights in the background.
        bar: Ground of plates and headlines.
        accent: Chips, strips and lines.
    """

    deep: Colour
    mid: Colour
    glow: Colour
    bar: Colour
    accent: Colour


PALETTES = {
    "navy": Palette((9, 16, 38), (24, 52, 104), (86, 138, 214), (12, 24, 54), (206, 32, 44)),
    "teal": Palette((6, 28, 34), (14, 74, 82), (92, 182, 176), (8, 40, 48), (238, 138, 38)),
    "slate": Palette((20, 22, 28), (58, 64, 76), (158, 168, 184), (26, 29, 37), (214, 164, 52)),
    "plum": Palette((24, 12, 36), (70, 36, 96), (176, 122, 206), (34, 18, 52), (222, 62, 112)),
    "forest": Palette((10, 26, 20), (32, 74, 54), (138, 184, 132), (14, 36, 28), (226, 186, 60)),
    "ember": Palette((26, 16, 16), (82, 46, 40), (224, 158, 110), (40, 22, 22), (226, 96, 46)),
}
BACKDROPS = ("bokeh", "panels", "arcs")
