"""The row of panels that a figure is, and the style and the colours of all of them."""

import matplotlib.pyplot as plt
import seaborn as sns

PALETTE = sns.color_palette("colorblind")
STYLE = {
    "figure.dpi": 144,
    "figure.facecolor": "white",
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.prop_cycle": plt.cycler(color=PALETTE),
}
INK = "#222222"
COLUMN_INCHES = 7.2


def panels(n_panels, height, width=COLUMN_INCHES, **options):
    """Return a figure and its n_panels axes in a row; sizes are inches, one column wide at most."""
    sns.set_theme(style="ticks", rc=STYLE)
    size = (min(width, COLUMN_INCHES), height)
    figure, axes = plt.subplots(
        1, n_panels, figsize=size, layout="constrained", squeeze=False, **options
    )
    return figure, list(axes[0])
