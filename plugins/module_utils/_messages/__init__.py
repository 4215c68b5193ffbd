# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages to agents: what one is, where it waits, and what comes next for it. Who carries that out is the keeper."""
