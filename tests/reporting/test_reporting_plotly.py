"""Plotly, which is put into every page with figures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from importlib import resources

import plotly
from report_run import Builder

from edgeecg.reporting import comparison, documents
from edgeecg.reporting.html import run_page


def test_a_page_holds_the_library_and_may_run_it(full: Builder) -> None:
    found = documents.read(full.run)
    html = run_page.render(found, comparison.compare(found))
    (packed,) = re.findall(r'<script type="text/plain" id="plotly">([^<]+)</script>', html)
    code = gzip.decompress(base64.b64decode(packed))
    installed = (resources.files(plotly) / "package_data" / "plotly.min.js").read_bytes()
    assert code.split() == installed.split()
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode("ascii")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert f"'sha256-{digest}'" in policy
    assert len(html) < 2_500_000
