"""How well edits do what they are asked, whoever drew them."""
