# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SHA-256 without hashlib, which would load OpenSSL: 4 MiB in every keeper."""

from __future__ import annotations

try:
    from _sha2 import sha256  # Python ≥ 3.12
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256

__all__ = ["sha256"]
