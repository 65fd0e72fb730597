"""Student's t distribution, for the interval of a mean of few values."""

from __future__ import annotations

# The 97.5 % quantiles for 1 to 30 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical
# Methods, section 1.3.6.7.2).
_QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL = 1.95996


def quantile_975(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t: a mean's 95 % interval is this many errors wide.

    Args:
        degrees: Degrees of freedom, at least 1. Above 30 the expansion of Abramowitz and Stegun,
            Handbook of Mathematical Functions, 26.7.5 is used, to its second term.
    """
    if degrees <= len(_QUANTILES):
        return _QUANTILES[degrees - 1]
    z = _NORMAL
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
