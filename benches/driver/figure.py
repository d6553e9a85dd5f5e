"""The figure: one panel a batch size, one bar a contender, ours in colour."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first

from .report import OURS, Results  # noqa: E402

FILES = {"features": "samples_per_second.svg", "text": "samples_per_second_text.svg"}
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "batchscope",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.bottom": False,
}
COLOURS = {"fused": "#0b6e4f", "libtorch": "#6fb98f"}
OTHERS, INK = "#b8bec6", "#30363d"


def draw(results: Results, folder: Path) -> None:
    for workload, name in FILES.items():
        measured = [m for m in results.outcome.measured if m.workload == workload]
        if measured:
            with plt.rc_context(STYLE):
                figure = panels(measured)
                figure.savefig(folder / name, metadata={"Date": None}, bbox_inches="tight", facecolor="white")
                plt.close(figure)


def panels(measured: list) -> plt.Figure:
    sizes = sorted({m.batch_size for m in measured})
    speed = {(m.contender, m.batch_size): m for m in measured}
    best = {m.contender: max(o.median for o in measured if o.contender == m.contender) for m in measured}
    # Ours first, then the others from the fastest on: one order for all panels.
    names = sorted(best, key=lambda name: (name not in OURS, -best[name]))
    height = 0.9 + 0.26 * len(names)
    figure, axes = plt.subplots(1, len(sizes), figsize=(1.6 + 2.0 * len(sizes), height), sharey=True, squeeze=False)
    most = max(m.median for m in measured)
    for axis, size in zip(axes[0], sizes):
        for at, name in enumerate(names):
            found = speed.get((name, size))
            if found is None:
                axis.text(0, at, " not run", va="center", color=OTHERS)
                continue
            axis.barh(at, found.median, height=0.72, color=COLOURS.get(name, OTHERS))
            low, high = found.quartiles
            axis.plot([low, high], [at, at], color=INK, linewidth=1)
            weight = "bold" if name in OURS else "normal"
            axis.text(max(found.median, high) + most * 0.02, at, f"{found.median:,.0f}", va="center", color=INK, weight=weight)
        axis.set_title(f"batch size {size}", fontsize=9, color=INK, loc="left")
        axis.set_xlim(0, most * 1.25)
        axis.set_xticks([])
        axis.tick_params(axis="y", length=0)
    first = axes[0][0]
    first.set_yticks(range(len(names)), names)
    for label, name in zip(first.get_yticklabels(), names):
        label.set_fontweight("bold" if name in OURS else "normal")
    first.invert_yaxis()
    figure.supxlabel("training samples a second (longer is faster; the line spans the quartiles)", fontsize=9, color=INK)
    figure.tight_layout()
    return figure
