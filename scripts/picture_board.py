"""Take the picture of the board that the README shows: of a Leadpact that runs, such as the one `make demo` leaves up.

    LEADPACT_TOKEN=lp_… python scripts/picture_board.py --url http://127.0.0.1:8080 --out docs/board.png

Needs Chromium; ``LEADPACT_TEST_CHROMIUM`` names one that is not on the path.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--path", default="/", help="which page, such as /leads")
    parser.add_argument("--out", type=Path, default=Path("docs/board.png"))
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--zone", default="Europe/Berlin", help="the viewer's time zone")
    asked = parser.parse_args()
    token, chromium = os.environ.get("LEADPACT_TOKEN"), _chromium()
    if not token or chromium is None:
        sys.exit("Set LEADPACT_TOKEN to a token that may read, and install Chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        page = browser.new_page(
            viewport={"width": asked.width, "height": 900}, timezone_id=asked.zone, locale="en-GB"
        )
        page.goto(f"{asked.url}/sign-in?next={asked.path}")
        page.get_by_label("Access token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.locator("main h1").wait_for(state="attached")
        page.screenshot(path=asked.out, full_page=True)
        browser.close()


def _chromium() -> str | None:
    return os.environ.get("LEADPACT_TEST_CHROMIUM") or shutil.which("chromium")


if __name__ == "__main__":
    main()
