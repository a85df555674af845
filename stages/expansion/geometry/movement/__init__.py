"""Where a face's points go: action units as displacements, rules of lids and lips, a dense flow."""
