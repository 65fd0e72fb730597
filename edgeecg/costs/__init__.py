"""Layer costs, counted from an exported file or measured, and the energy proxy (numpy only).

``counting`` counts the layers of a file of any format with the module ``count_FORMAT``, ``proxy``
adds them up to the energy proxy, and ``measured`` predicts seconds from measured layer costs.
"""
