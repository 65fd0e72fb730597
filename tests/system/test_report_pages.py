"""The pages of ``edgeecg report`` and ``edgeecg compare`` in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from report_browser import Scheme, chromium, opened
from system_program import run_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.system, pytest.mark.alone]

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "benchmarks" / "demo_run"
PUBLISHED = sorted((ROOT / "benchmarks" / "results" / "pages").glob("*.html"))
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    yield from chromium()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real run, measured here, and its pages."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(DEMO, folder / "runs" / "demo")
    edgeecg = run_in(folder)
    edgeecg("bench", "--run", "demo", "--suite", "quick", "--meter", "none", "--json", "b.json")
    edgeecg("report", "demo", "-o", "run.html")
    edgeecg("report", "runs", "-o", "site")
    edgeecg("compare", "b.json", "b.json", "-o", "compare.html")
    return folder


def hostile(folder: Path) -> Path:
    """Write a bench report of a model with a hostile name; return it."""
    text = json.loads((folder / "b.json").read_text(encoding="utf-8"))
    for result in text["results"]:
        result["artifact"]["file"] = f"{HOSTILE}.tflite"
        result["artifact"]["manifest"]["model"] = HOSTILE
        result["artifact"]["manifest"]["target"] = HOSTILE
        result["device"]["name"] = f"{HOSTILE}<b>%{{x}}"
    path = folder / "hostile<b>.json"
    path.write_text(json.dumps(text), encoding="utf-8")
    return path


def drawn(page: Page) -> tuple[int, int]:
    """Return how many figures the page shows, and how many of them are drawn."""
    shown = page.evaluate(
        "[...document.querySelectorAll('.plot')].filter((p) => p.offsetWidth).length"
    )
    return shown, page.locator(".plot[data-drawn] .main-svg:first-child").count()


def serious(page: Page) -> list[str]:
    """Return what axe-core finds that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", ["run.html", "site/index.html", "site/demo.html", "compare.html"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_page_draws_its_figures_without_a_fault(
    browser: Browser, measured: Path, name: str, width: int, scheme: Scheme
) -> None:
    found = opened(browser, measured / name, width, scheme)
    shown, finished = drawn(found.page)
    assert shown == finished > 0
    assert found.faults == []
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(found.page) == []
    found.page.context.close()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_published_page_of_a_real_run_draws_its_figures_without_a_fault(
    browser: Browser, path: Path, width: int, scheme: Scheme
) -> None:
    found = opened(browser, path, width, scheme)
    shown, finished = drawn(found.page)
    assert shown == finished > 5
    assert found.faults == []
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(found.page) == []
    found.page.context.close()


def test_hovering_and_selecting_a_point(browser: Browser, measured: Path) -> None:
    found = opened(browser, measured / "run.html")
    page = found.page
    spot = page.locator(".plot .scatterlayer .point").first
    spot.scroll_into_view_if_needed()
    spot.hover(force=True)
    page.wait_for_selector(".hoverlayer .hovertext")
    assert "demo, " in (page.locator(".hoverlayer .hovertext").first.text_content() or "")
    assert page.locator(".panel:visible").count() == 0
    box = spot.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(".panel:visible")
    chosen = page.locator("#variant").input_value()
    assert page.locator(".panel:visible").get_attribute("data-panel") == chosen
    # The figures mark it, and the keyboard selects another one.
    points = "[...document.querySelectorAll('.plot .scatterlayer .point')]"
    assert page.evaluate(f"{points}.some((point) => point.style.opacity < 0.5)")
    page.locator("#variant").focus()
    page.keyboard.press("Home")
    page.wait_for_selector(".panel:visible", state="detached")
    assert found.faults == []
    page.context.close()


# Figures take their new width a few frames after the page has it.
NARROW_ENOUGH = """() => new Promise((done) => {
    let left = 300;
    const look = () => {
        if (document.documentElement.scrollWidth <= 718) done(true);
        else if (left-- === 0) done(false);
        else requestAnimationFrame(look);
    };
    look();
})"""


def test_the_printed_page_is_light(browser: Browser, measured: Path) -> None:
    found = opened(browser, measured / "run.html", scheme="dark")
    page = found.page
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert dark != "rgb(255, 255, 255)"
    assert page.locator(".choice:visible").count() == 0
    # A4 at 96 dpi, less its margins: no table is cut off, and nothing stays folded.
    page.set_viewport_size({"width": 718, "height": 1000})
    assert page.evaluate(NARROW_ENOUGH), page.evaluate("document.documentElement.scrollWidth")
    assert page.locator("details table").first.is_visible()
    page.wait_for_selector(".plot text[style*='fill: rgb(28, 39, 51)']", state="attached")
    page.context.close()


def test_a_hostile_name_is_text(browser: Browser, measured: Path) -> None:
    path = hostile(measured)
    run_in(measured)("report", path.name, "-o", "hostile.html")
    found = opened(browser, measured / "hostile.html")
    found.page.select_option("#variant", "0")
    assert found.faults == []
    assert HOSTILE in found.page.locator("table").first.inner_text()
    assert found.page.locator(".plot b, .plot script").count() == 0
    found.page.context.close()


def test_the_index_of_many_runs_leads_to_their_pages(browser: Browser, measured: Path) -> None:
    found = opened(browser, measured / "site" / "index.html")
    found.page.locator("tbody a").first.click()
    found.page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert found.page.url.endswith("/demo.html")
    assert [each for each in found.faults if not each.endswith("/demo.html")] == []
    found.page.context.close()


def variants(folder: Path) -> list[str]:
    """Write bench reports of 500 files; return their names."""
    document = json.loads((folder / "b.json").read_text(encoding="utf-8"))
    dense, small = document["results"]
    names: list[str] = []
    for report in range(10):
        results = [dense]
        for n in range(50):
            k = 50 * report + n
            each = json.loads(json.dumps(small))
            each["artifact"] |= {"file": f"v{k}.tflite", "sha256": f"{k:064x}"}
            each["latency"]["p50_s"] *= 1 + k / 100
            each["proxy"]["executed"] *= 1 + k / 200
            results.append(each)
        names.append(f"many{report}.json")
        text = json.dumps({**document, "results": results})
        (folder / names[-1]).write_text(text, encoding="utf-8")
    return names


def slowdown() -> float:
    """Return how many times longer than its processor time a loop takes: 1 on an idle machine."""
    wall_s, processor_s = time.perf_counter(), time.process_time()
    sum(range(20_000_000))
    spent_s = time.process_time() - processor_s
    return max(1.0, (time.perf_counter() - wall_s) / spent_s)


def test_500_variants_are_written_and_opened_quickly(browser: Browser, measured: Path) -> None:
    names = variants(measured)
    # What other programs take of the processors is allowed for, and nothing else.
    busy = slowdown()
    began = time.perf_counter()
    run_in(measured)("report", *names, "-o", "many.html")
    written_s = time.perf_counter() - began
    assert written_s < 20 * max(busy, slowdown())
    assert (measured / "many.html").stat().st_size < 5_000_000
    # A slow machine takes seconds for every page. The page of one run tells how many; 6 s are too
    # many anywhere.
    plain = opened(browser, measured / "run.html")
    plain.page.context.close()
    limit_s = min(max(3.0, 2 * plain.ready_s), 6.0)
    busy = slowdown()
    found = opened(browser, measured / "many.html")
    assert found.ready_s < limit_s * max(busy, slowdown())
    assert drawn(found.page)[1] > 0
    page = found.page
    assert page.locator("#listing-1 tbody tr").count() == 510
    page.locator("#filter-1").fill("many3 v150")
    assert page.locator("#listing-1 tbody tr:visible").count() == 1
    page.locator("#filter-1").fill("")
    heading = page.locator("thead button", has_text=re.compile("^p50$"))
    heading.click()
    first = page.locator("#listing-1 tbody tr").first.inner_text()
    heading.click()
    assert page.locator("#listing-1 tbody tr").first.inner_text() != first
    assert found.faults == []
    page.context.close()
