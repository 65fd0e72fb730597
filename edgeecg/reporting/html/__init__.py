"""HTML pages: one file each, with every script and style in it, that load nothing.

``run_page`` is the page of one run, ``results_page`` that of many results, ``compare_page`` that of
a comparison, and ``site`` a folder of pages with an index. ``figure`` is a Plotly figure as plain
JSON; ``pareto``, ``proxy_figure``, ``layers``, ``classes``, ``changed_beats``, ``training_curves``
and ``battery_section`` make sections. ``document`` renders them with ``page.html.j2``; ``page.css``
and ``page.js`` are put into each page.
"""
