"""Drawing with smooth edges: everything is drawn several times larger and reduced at the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from vfnode.dicom.picture.layout import layout
from vfnode.dicom.templates import templates_dir

Point = tuple[float, float]
Colour = tuple[int, int, int, int]


def colour(name: str, alpha: int = 255) -> Colour:
    """``#RRGGBB``, or the name of one of the layout's colours, with an opacity of 0 to 255."""
    code = name if name.startswith("#") else layout()["colours"][name]
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16), alpha


class Canvas:
    """An RGB page addressed in the pixels of the finished picture; (0, 0) is a corner."""

    def __init__(self, width: int, height: int) -> None:
        self.scale: int = layout()["supersampling"]
        self.width, self.height = width, height
        size = (width * self.scale, height * self.scale)
        self._large = Image.new("RGB", size, colour("background")[:3])
        self._draw = ImageDraw.Draw(self._large, "RGBA")

    def finished(self) -> Image.Image:
        """The page at its own size."""
        return self._large.reduce(self.scale)

    def paste_grey(self, image: Image.Image, box: tuple[float, float, float, float]) -> None:
        """Fill the page with the part ``box`` of an 8-bit grey image, cubic kernel."""
        large = image.resize(self._large.size, Image.Resampling.BICUBIC, box=box)
        self._large.paste(large.convert("RGB"))

    def paste(self, other: Canvas, corner: tuple[int, int]) -> None:
        """Put another page on this one, its corner at ``corner``."""
        self._large.paste(other._large, (corner[0] * self.scale, corner[1] * self.scale))

    def line(self, points: Sequence[Point], ink: Colour, width: float = 1.0) -> None:
        """Open line through points."""
        self._draw.line(self._scaled(points), ink, max(1, round(width * self.scale)), "curve")

    def polygon(self, points: Sequence[Point], ink: Colour) -> None:
        """Filled polygon."""
        self._draw.polygon(self._scaled(points), ink)

    def disc(self, centre: Point, radius: float, ink: Colour) -> None:
        """Filled circle."""
        (x, y), r = centre, radius
        self._draw.ellipse(self._scaled([(x - r, y - r), (x + r, y + r)]), ink)

    def frame(self, corners: tuple[Point, Point], ink: Colour, radius: float = 6.0) -> None:
        """Rounded rectangle, not filled."""
        self._draw.rounded_rectangle(
            self._scaled(corners), radius * self.scale, outline=ink, width=2 * self.scale
        )

    def text(self, at: Point, words: str, ink: Colour, style: str, anchor: str = "lm") -> None:
        """Words in a style such as "bold title"; ``anchor`` as in Pillow."""
        position = (at[0] * self.scale, at[1] * self.scale)
        self._draw.text(position, words, ink, _font(style, self.scale), anchor=anchor)

    def text_on_image(self, at: Point, words: str, ink: Colour, style: str, anchor: str) -> None:
        """Words with a dark rim, readable on any grey."""
        position = (at[0] * self.scale, at[1] * self.scale)
        self._draw.text(
            position,
            words,
            ink,
            _font(style, self.scale),
            anchor=anchor,
            stroke_width=2 * self.scale,
            stroke_fill=colour("background"),
        )

    def fitting(self, text: str, style: str, width: float) -> str:
        """The text, or as many of its words as fit into a width, and an ellipsis."""
        words = text.split()
        shown = text
        while self.text_width(shown, style) > width and words:
            words.pop()
            shown = f"{' '.join(words)} …"
        return shown

    def text_width(self, words: str, style: str) -> float:
        """Width of words in pixels of the finished picture."""
        return _font(style, self.scale).getlength(words) / self.scale

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(float(x) * self.scale, float(y) * self.scale) for x, y in points]


@cache
def _font(style: str, scale: int) -> ImageFont.FreeTypeFont:
    weight, size = style.split()
    path = templates_dir() / layout()["fonts"][weight]
    # Basic layout: the same glyph positions on every machine, with or without libraqm.
    return ImageFont.truetype(
        str(path), layout()["sizes"][size] * scale, layout_engine=ImageFont.Layout.BASIC
    )
