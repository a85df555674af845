"""One reader a layout: siblings, found by ``registry``."""
