"""The drawing of the memories of a GPU, and of the bytes that attention moves between them."""

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas, width_of
from gpt_helpers.figures.drawings.holding import in_bytes
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import LARGEST
from gpt_helpers.figures.style import GREY, INK, TEAL, VIOLET
from gpt_helpers.validation import check_instance, check_real, check_text

MEMORIES = ("SRAM", "HBM")  # on the chip, beside the chip
MOST_WAYS, THICKEST = 4, 24  # bars of traffic; points of the wider arrow


def check_levels(name, value):
    """Raise ValueError unless value is a dict with a positive number for each of MEMORIES."""
    check_instance(name, value, dict)
    if tuple(value) != MEMORIES:
        raise ValueError(f"{name}={value!r:.60} must have the keys {MEMORIES}, in this order")
    for level in MEMORIES:
        check_real(f"{name}[{level!r}]", value[level], above=0, at_most=LARGEST)


def check_traffic(name, value):
    """Raise ValueError unless value is a dict {how attention is computed: bytes moved}."""
    check_instance(name, value, dict)
    if not 1 <= len(value) <= MOST_WAYS:
        raise ValueError(f"{name} has {len(value)} entries; give 1 to {MOST_WAYS}")
    for way, n_bytes in value.items():
        check_text(f"a name in {name}", way)
        check_real(f"{name}[{way!r}]", n_bytes, above=0, at_most=LARGEST)


@draws(sizes=check_levels, bandwidths=check_levels, traffic=check_traffic)
def memories(sizes, bandwidths, traffic):
    """Draw the memories of a GPU, arrows as wide as their bandwidth, and the bytes that pass.

    sizes (bytes) and bandwidths (bytes per second) are those of "SRAM", on the chip, and "HBM",
    beside it; traffic gives the bytes that ways to compute attention move to and from HBM.
    """
    canvas = Canvas()
    width = canvas.width if canvas.is_narrow else canvas.width * 0.46
    unit = THICKEST / max(bandwidths.values())
    chip = canvas.device(1, 1, width - 2, 152, "on the chip")
    middle = chip.x + chip.width / 2
    units = canvas.box(middle - 70, 26, "arithmetic units", GREY, width=140)
    names = {level: f"{level}: {in_bytes(sizes[level])}" for level in MEMORIES}
    sram = canvas.box(middle - 70, 112, names["SRAM"], TEAL, width=140, height=32)
    flow = draw_flow(canvas, units, sram, bandwidths["SRAM"], unit)
    hbm = canvas.box(1, 206, names["HBM"], VIOLET, width=width - 2, height=44)
    draw_flow(canvas, Box(middle, 153, 0, 0), hbm, bandwidths["HBM"], unit)
    if canvas.is_narrow:
        draw_traffic(canvas, 0, hbm.y + hbm.height + LINE, canvas.width, traffic)
    else:
        draw_traffic(canvas, width + 40, flow.y + 30, canvas.width - width - 40, traffic)
    return canvas.finished()


def draw_flow(canvas, above, below, bandwidth, unit):
    """Draw an arrow both ways between two boxes, as wide as its bandwidth, with its name."""
    start, end = above.bottom, below.top
    thick = max(1.0, bandwidth * unit)
    head = min(12, (end[1] - start[1]) / 3)
    x = start[0]
    shape = Box(x - thick / 2, start[1] + head, thick, end[1] - start[1] - 2 * head)
    canvas.frame(shape, INK, 0.6, 0, line=0.5)
    for tip, base in ((start[1] + 2, shape.y), (end[1] - 2, shape.y + shape.height)):
        half = thick / 2 + 4
        canvas.axis.fill((x - half, x + half, x), (base, base, tip), color=INK, linewidth=0)
    words = f"{bandwidth / 1e12:.3g} TB/s"
    canvas.text(x + thick / 2 + 10, shape.centre[1], words, "left", bold=True)
    return shape


def draw_traffic(canvas, x, y, width, traffic):
    """Draw a bar for each way to compute attention, as long as the bytes that it moves."""
    canvas.text(x, y, "moved to and from HBM", "left", "top", bold=True)
    y, longest = y + LINE + PAD, max(traffic.values())
    room = max(width_of(in_bytes(n_bytes)) for n_bytes in traffic.values()) + 2 * PAD
    for way, n_bytes in traffic.items():
        canvas.text(x, y, way, "left", "top")
        bar = Box(x, y + LINE + 2, (width - room) * n_bytes / longest, 16)
        canvas.frame(bar, VIOLET, 0.45, 0)
        canvas.text(bar.x + bar.width + PAD, bar.centre[1], in_bytes(n_bytes), "left", bold=True)
        y += LINE + 30
