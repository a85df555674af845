"""Figures that tell a redrawn picture from one that was only moved, tinted or made grainy."""
