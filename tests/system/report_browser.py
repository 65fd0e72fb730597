"""A headless Chromium that notes what a page does wrong: errors, and requests to anywhere."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]


@dataclass
class Opened:
    """A page in the browser.

    Attributes:
        page: The page.
        faults: Console errors, exceptions, dialogs and requests, in words.
        ready_s: Time from opening the page until the figures in view were drawn.
    """

    page: Page
    faults: list[str] = field(default_factory=list[str])
    ready_s: float = 0.0


def chromium() -> Generator[Browser]:
    """Start Debian's Chromium; the test is skipped where it or Playwright is not installed.

    In continuous integration both have to be there.
    """
    program = shutil.which("chromium")
    if program is None or find_spec("playwright") is None:
        reason = "needs Chromium (apt install chromium) and pip install 'edgeecg[browser]'"
        (pytest.fail if "CI" in os.environ else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root has no sandbox; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, path: Path, width: int = 1280, scheme: Scheme = "light") -> Opened:
    """Open a file without a network, and wait until its figures are drawn.

    Args:
        browser: The browser.
        path: The page.
        width: Width of the window in pixels.
        scheme: Light or dark.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    context.set_default_timeout(60_000)
    found = Opened(context.new_page())
    address = path.resolve().as_uri()
    page = found.page
    page.on("console", lambda m: found.faults.append(m.text) if m.type != "info" else None)
    page.on("pageerror", lambda error: found.faults.append(str(error)))
    page.on("dialog", lambda dialog: found.faults.append(f"dialog {dialog.message}"))
    page.on(
        "request",
        lambda r: None if r.url == address else found.faults.append(f"request {r.url[:200]}"),
    )
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    found.ready_s = time.perf_counter() - began
    page.wait_for_selector("html[data-complete=yes]", state="attached")
    return found
