"""Figures for print: what expansion and regeneration make of given faces, as PNG and PDF."""
