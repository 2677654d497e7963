"""A scene: everything about it that chance decides, drawn once and shared by the real clip and all its forgeries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cmdfd.errors import CmdfdError, nearest
from generators.splice.scenes import pools
from generators.splice.scenes.layouts import MAX_LONG_EDGE, REFERENCE, Box, Layout, layout_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

CAPTIONS = ("pool", "speech", "none")
SOUNDS = ("mix", "target")
#: How long a line of the pool stands, seconds.
_LINE_SECONDS = (1.3, 2.4)
_N_LINES, _N_TICKER, _N_CHAT = 8, 6, 6
#: Largest zoom into a take; heads fill their takes already.
_ZOOM = 1.05


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(_Strict):
    """A caption of the pool and how long it stands, in seconds."""

    text: str
    seconds: float = Field(gt=0, allow_inf_nan=False)


class Message(_Strict):
    """A line of a chat."""

    name: str
    text: str


class Texts(_Strict):
    """All that is written in a scene; a layout shows what it has a place for.

    Args:
        names: Of the person in each slot.
        roles: Of the person in each slot.
        programme: Name of the broadcast.
        kicker: Word before the headline.
        headline: Headline.
        ticker: What the ticker says, in order.
        title: Of an upright clip.
        place: Where the inset comes from.
        meeting: Of a conference.
        chat: Of a conference.
        clock: Time of day, "18:42".
        lines: Running captions where they do not follow speech; they begin again after the last.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    programme: str
    kicker: str
    headline: str
    ticker: tuple[str, ...]
    title: str
    place: str
    meeting: str
    chat: tuple[Message, ...]
    clock: str
    lines: tuple[Line, ...] = Field(min_length=1)


class View(_Strict):
    """How a slot looks into its take.

    Args:
        zoom: 1 shows as much as fits, 1.05 a twentieth less.
        x: Which part is kept where a side is cropped, 0 (left) to 1 (right).
        y: The same, 0 (top) to 1 (bottom).
    """

    zoom: float = Field(ge=1, le=4)
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class Scene(_Strict):
    """A drawn scene.

    Args:
        layout: Name of its layout.
        width: Pixels of the canvas, even.
        height: Pixels of the canvas, even.
        order: Slot of every panel in the order in which panels are given: `order[0]` is the target's.
        boxes: Place of every slot on the canvas, jitter included; no two meet.
        views: How every slot looks into its take.
        palette: Name of its colours.
        backdrop: Kind of background.
        seed: Of the background's pattern.
        mirrored: Whether left and right were exchanged.
        ticker_speed: Widths of the canvas that the ticker runs in a second.
        phase: Seconds by which captions and ticker are under way when the clip begins.
        captions: "pool" (lines of `texts`), "speech" (the words that `compose` is given) or "none".
        sound: "mix" (all, bystanders softer) or "target" (the target alone).
        texts: What is written.
    """

    layout: str
    width: int = Field(ge=16, le=MAX_LONG_EDGE, multiple_of=2)
    height: int = Field(ge=16, le=MAX_LONG_EDGE, multiple_of=2)
    order: tuple[int, ...]
    boxes: tuple[Box, ...]
    views: tuple[View, ...]
    palette: str
    backdrop: str
    seed: int = Field(ge=0, lt=2**63)
    mirrored: bool
    ticker_speed: float = Field(ge=0, le=2)
    phase: float = Field(ge=0, le=3600)
    captions: Literal["pool", "speech", "none"]
    sound: Literal["mix", "target"]
    texts: Texts

    @model_validator(mode="after")
    def _fits(self) -> Scene:
        people = layout_of(self.layout).people
        if sorted(self.order) != list(range(people)):
            raise ValueError(f"order must name each of {people} slots once, got {list(self.order)}")
        for name in ("boxes", "views"):
            if len(getattr(self, name)) != people:
                raise ValueError(f"{name} must have {people} entries, got {len(getattr(self, name))}")
        if len(self.texts.names) != people or len(self.texts.roles) != people:
            raise ValueError(f"texts must name {people} people with their roles")
        _check_boxes(self.boxes, self.width, self.height)
        if self.palette not in pools.PALETTES:
            raise ValueError(f"palette {self.palette!r} is unknown; {nearest(self.palette, pools.PALETTES)}")
        if self.backdrop not in pools.BACKDROPS:
            raise ValueError(f"backdrop {self.backdrop!r} is unknown; {nearest(self.backdrop, pools.BACKDROPS)}")
        return self

    @property
    def unit(self) -> float:
        """Pixels of the canvas for one of the reference canvas."""
        return max(self.width, self.height) / REFERENCE

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scene:
        """Read the fields back.

        Raises:
            CmdfdError: If a field is missing, unknown or out of range; the text names it.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise CmdfdError(f"scene.{name}: {first['msg']}" if name else f"scene: {first['msg']}") from error


def _check_boxes(boxes: Sequence[Box], width: int, height: int) -> None:
    for k, box in enumerate(boxes):
        if min(box) < 0 or min(box.width, box.height) < 8 or box.right > width or box.bottom > height:
            raise ValueError(f"box {k}, {tuple(box)}, must be 8 pixels or more each way, inside {width}x{height}")
        for other in boxes[:k]:
            if box.meets(other):
                raise ValueError(f"boxes must not meet, but {tuple(box)} and {tuple(other)} do")


def draw_scene(
    layout: str,
    rng: np.random.Generator,
    *,
    long_edge: int = 960,
    captions: bool | str = True,
    sound: str = "mix",
) -> Scene:
    """Draw a scene.

    The same stream gives the same scene whatever size, captions and sound are asked for; only these differ then.

    Args:
        layout: Name of a layout.
        rng: The only source of chance.
        long_edge: Pixels of the longer side of the canvas.
        captions: Running captions: True or "pool" for neutral lines of a fixed pool, "speech" for the words that
            `compose` is given (the genuine take's), False or "none" for none. Plates, headline and ticker always stay.
        sound: "mix" or "target".

    Returns:
        The scene.

    Raises:
        CmdfdError: If a value is unknown or out of range.
    """
    kind = layout_of(layout)
    size = kind.canvas(long_edge)
    words = ("pool" if captions else "none") if isinstance(captions, bool) else captions
    for name, value, known in (("captions", words, CAPTIONS), ("sound", sound, SOUNDS)):
        if value not in known:
            raise CmdfdError(f"{name} {value!r} is unknown; {nearest(str(value), known)}")
    mirrored = bool(rng.integers(2)) and kind.mirrors
    order = tuple(int(slot) for slot in rng.permutation(kind.people))
    boxes = _place(kind, size, mirrored, rng)
    views = tuple(
        View(zoom=float(rng.uniform(1, _ZOOM)), x=float(rng.uniform(0.44, 0.56)), y=float(rng.uniform(0.47, 0.56)))
        for _ in kind.slots
    )
    return Scene(
        layout=layout,
        width=size[0],
        height=size[1],
        order=order,
        boxes=boxes,
        views=views,
        palette=_one(sorted(pools.PALETTES), rng),
        backdrop=_one(pools.BACKDROPS, rng),
        seed=int(rng.integers(2**48)),
        mirrored=mirrored,
        ticker_speed=float(rng.uniform(0.06, 0.1)),
        phase=float(rng.uniform(0, 10)),
        captions=cast('Literal["pool", "speech", "none"]', words),
        sound=cast('Literal["mix", "target"]', sound),
        texts=_texts(kind.people, rng),
    )


def _place(kind: Layout, size: tuple[int, int], mirrored: bool, rng: np.random.Generator) -> tuple[Box, ...]:
    scale = (size[0] / kind.size[0], size[1] / kind.size[1])
    moves = [int(each) for each in rng.integers(-kind.jitter, kind.jitter + 1, 2)]
    boxes = []
    for slot in kind.slots:
        x = kind.size[0] - slot.box.right if mirrored else slot.box.x
        x += moves[0] if x > 0 and x + slot.box.width < kind.size[0] else 0
        y = slot.box.y
        y += moves[1] if y > 0 and slot.box.bottom < kind.size[1] else 0
        left, top = round(x * scale[0]), round(y * scale[1])
        width, height = round(slot.box.width * scale[0]), round(slot.box.height * scale[1])
        boxes.append(Box(left, top, min(width, size[0] - left), min(height, size[1] - top)))
    return tuple(boxes)


def _one(pool: Sequence[str], rng: np.random.Generator) -> str:
    return pool[int(rng.integers(len(pool)))]


def _some(pool: Sequence[str], n: int, rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(pool[int(k)] for k in rng.permutation(len(pool))[:n])


def _texts(people: int, rng: np.random.Generator) -> Texts:
    names = _some(pools.NAMES, people, rng)
    writers = [names[int(k)].split(" ", 1)[1] for k in rng.integers(people, size=_N_CHAT)]
    lines = _some(pools.CAPTIONS, _N_LINES, rng)
    spans = rng.uniform(*_LINE_SECONDS, _N_LINES)
    return Texts(
        names=names,
        roles=_some(pools.ROLES, people, rng),
        programme=_one(pools.PROGRAMMES, rng),
        kicker=_one(pools.KICKERS, rng),
        headline=_one(pools.HEADLINES, rng),
        ticker=_some(pools.TICKER, _N_TICKER, rng),
        title=_one(pools.TITLES, rng),
        place=_one(pools.PLACES, rng),
        meeting=_one(pools.MEETINGS, rng),
        chat=tuple(Message(name=n, text=t) for n, t in zip(writers, _some(pools.CHAT, _N_CHAT, rng), strict=True)),
        clock=f"{int(rng.integers(6, 23)):02d}:{int(rng.integers(60)):02d}",
        lines=tuple(Line(text=t, seconds=round(float(s), 3)) for t, s in zip(lines, spans, strict=True)),
    )
