"""The Python interface: what `from singanimation import ...` gives. Each name's module loads when it is first used."""
