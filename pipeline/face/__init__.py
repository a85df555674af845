"""The words about a face that all stages share: framing, mesh indices, mirror. No torch."""
