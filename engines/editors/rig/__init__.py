"""The rig: where the skin goes for each action unit, in space, and the warp that takes it there."""
