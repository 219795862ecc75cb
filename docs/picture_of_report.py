"""Make the picture of a report for the manual: headless Chromium, then smaller, in few colours.

python docs/picture_of_report.py three.html docs/src/_static/report-of-three-runs.png
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1200, 2900  # px of the page
SCALE = 0.65
COLORS = 128


def main() -> None:
    """Write the upper part of a page as a PNG file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    asked = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("this needs Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "page.png")
        words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                 f"--user-data-dir={folder}/profile", "--virtual-time-budget=15000",
                 f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}"]  # fmt: skip
        address = asked.page.resolve().as_uri()
        subprocess.run([*words, address], check=True, capture_output=True, timeout=300)
        with Image.open(shot) as picture:
            size = round(SCALE * WIDTH), round(SCALE * HEIGHT)
            smaller = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        smaller.quantize(COLORS).save(asked.picture, optimize=True)


if __name__ == "__main__":
    main()
