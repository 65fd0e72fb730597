"""Layer costs, counted from an exported file, and the energy proxy made of them (numpy only)."""
