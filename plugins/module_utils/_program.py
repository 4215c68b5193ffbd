# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host half as a file: one that this host's Python cannot read must not replace one that it can."""

from __future__ import annotations

import io
import zipfile


def require_readable(program: bytes) -> None:
    """Compile every module of a zipapp, and run none: every keeper of the host would be started from it.

    :raises ValueError: it is no zipapp, or a module is not Python for the interpreter that runs this.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(program)) as archive:
            for name in archive.namelist():
                if name.endswith(".py"):
                    compile(archive.read(name), name, "exec")
    except (SyntaxError, zipfile.BadZipFile) as error:
        raise ValueError(f"this host half does not work here and was not installed: {error}") from error
