"""Whether the processor has the instructions that make int8 fast."""

from __future__ import annotations

from edgeecg.devices import cpu
from edgeecg.devices.checks import CheckedHost
from edgeecg.schema import Finding


def check(host: CheckedHost) -> list[Finding]:
    """Look for instructions that add up int8 products; nothing where the features are unknown."""
    if host.cpu_features is None:
        return []
    names = ", ".join(host.cpu_features) or "no vector extensions"
    if cpu.has_int8_dot_product(host.cpu_features):
        return [Finding(check="int8", ok=True, found=f"int8 dot products: {names}.")]
    return [
        Finding(
            check="int8",
            ok=False,
            found=f"The processor has no int8 dot-product instructions ({names}): an int8 file is "
            "smaller here, but not expected to be faster.",
            fix="Measure the float32 file beside the int8 one and use the faster: "
            "edgeecg bench FLOAT32_FILE INT8_FILE",
        )
    ]
