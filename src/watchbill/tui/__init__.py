"""`watchbill tui`: the fleet on one screen that stays. Imported by that command alone: textual takes its time."""
