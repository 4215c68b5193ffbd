# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keeper of one agent: starts its session, hears its heartbeats, says how it is. One process an agent, no model."""
